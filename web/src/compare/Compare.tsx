import { useEffect } from 'preact/hooks';
import { useStore } from '../shared/store';
import { Cards } from './Cards';
import { News } from './News';
import { Starter } from './Starter';
import { ALL_SLOTS, type Session } from './session';
import { sessions } from './sessions';
import './compare.css';

/** Shows what several models write about one service, and after the visitor's pick which model wrote what. */
export default function Compare() {
  const session = useStore(sessions.current);
  useNumberKeys();
  return (
    <div class="compare" data-phase={session.phase}>
      <h1>Which model says it best?</h1>
      <Starter session={session} start={(service) => void sessions.start(service)} />
      <News session={session} />
      <Cards session={session} pick={(winner) => sessions.pick(winner)} />
      <Neither session={session} />
    </div>
  );
}

function Neither({ session: { phase, pick } }: { session: Session }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is sent together
    <div class="neither" role="group" aria-label="No single best">
      {(['tie', 'none'] as const).map((winner) => (
        <button
          key={winner}
          type="button"
          class="button"
          aria-pressed={pick === winner}
          disabled={phase !== 'open'}
          onClick={() => sessions.pick(winner)}
        >
          {winner === 'tie' ? 'It is a tie' : 'None of them'}
        </button>
      ))}
      <p class="hint">
        Keys <kbd>1</kbd> to <kbd>4</kbd> pick, too.
      </p>
    </div>
  );
}

function useNumberKeys() {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.target instanceof Element && event.target.closest('input, select, textarea')) return;
      const slot = ALL_SLOTS[Number(event.key) - 1];
      if (slot) sessions.pick(slot);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
}
