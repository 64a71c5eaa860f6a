import { useState } from 'preact/hooks';
// This is the server's own list, so that it knows every service that a visitor can choose.
import services from '../../../service/data/services.json';
import type { Wish } from './ask';
import type { Session } from './session';

/** The choice of a service, and the buttons that ask the models or bring what they answered earlier. */
export function Starter({ session, start }: { session: Session; start: (wish: Wish) => void }) {
  const [service, setService] = useState('');
  const ask = (stored: boolean) => start({ service: service || null, stored });
  const busy = session.phase === 'running' || session.phase === 'returning';
  const submit = (event: Event) => {
    event.preventDefault();
    ask(false);
  };
  return (
    <form class="starter" onSubmit={submit}>
      <label>
        <span>About</span>
        <select value={service} onChange={(event) => setService(event.currentTarget.value)}>
          <option value="">any service</option>
          {services.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <button type="submit" class="button primary" disabled={busy}>
        {session.phase === 'idle' ? 'Ask the models' : 'Ask again'}
      </button>
      <button type="button" class="button" disabled={busy} onClick={() => ask(true)}>
        Compare earlier answers
      </button>
    </form>
  );
}
