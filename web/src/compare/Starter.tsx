import { useState } from 'preact/hooks';
// This is the server's own list, so that it knows every service that a visitor can choose.
import services from '../../../service/data/services.json';
import type { Session } from './session';

/** The choice of a service, and the button that asks the models. */
export function Starter({ session, start }: { session: Session; start: (service: string | null) => void }) {
  const [service, setService] = useState('');
  const submit = (event: Event) => {
    event.preventDefault();
    start(service || null);
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
      <button type="submit" class="button primary" disabled={session.phase === 'running'}>
        {session.phase === 'idle' ? 'Ask the models' : 'Ask again'}
      </button>
    </form>
  );
}
