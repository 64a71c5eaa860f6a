import { useId, useState } from 'preact/hooks';
// This is the server's own list, so that it knows every service that a visitor can choose.
import services from '../../../service/data/services.json';
import type { Winner } from '../api/types';
import type { Wish } from './ask';
import type { Session } from './session';
import { stage } from './words';

interface ControlsProps {
  session: Session;
  /** The service that the visitor has chosen; empty for any. */
  service: string;
  choose: (service: string) => void;
  start: (wish: Wish) => void;
  pick: (winner: Winner) => void;
}

/** What the visitor can do besides picking an answer. It stays at the bottom of the screen. */
export function Controls({ session, pick, ...starter }: ControlsProps) {
  const now = stage(session);
  if (now === 'waiting') return null;
  return (
    <div class="controls" key={now}>
      {now === 'picked' && <p class="note">{session.kept ? 'Your pick is kept here.' : 'Your pick is on its way …'}</p>}
      {now === 'open' && <Neither pick={pick} starter={starter} />}
      {now !== 'picked' && now !== 'open' && <Starter {...starter} />}
    </div>
  );
}

type StarterProps = Pick<ControlsProps, 'service' | 'choose' | 'start'>;

function Neither({ pick, starter }: Pick<ControlsProps, 'pick'> & { starter: StarterProps }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is sent together */}
      <div class="neither" role="group" aria-label="No single best">
        <button type="button" class="button" onClick={() => pick('tie')}>
          A tie
        </button>
        <button type="button" class="button" onClick={() => pick('none')}>
          None of them
        </button>
      </div>
      <button type="button" class="text-button" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        Another
      </button>
      <div id={id} class="other" hidden={!open}>
        <Starter {...starter} />
      </div>
    </>
  );
}

/** The choice of a service, and the buttons that ask the models or bring what they answered earlier. */
function Starter({ service, choose, start }: StarterProps) {
  const ask = (stored: boolean) => start({ service: service || null, stored });
  return (
    <form
      class="starter"
      onSubmit={(event) => {
        event.preventDefault();
        ask(false);
      }}
    >
      <label>
        <span>About</span>
        <select value={service} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">any service</option>
          {services.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button type="button" class="button" onClick={() => ask(true)}>
        <span>
          An earlier one <small>at once</small>
        </span>
      </button>
      <button type="submit" class="button primary">
        <span>
          A new one <small>in a few seconds</small>
        </span>
      </button>
    </form>
  );
}
