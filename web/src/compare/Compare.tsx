import { useEffect } from 'preact/hooks';
import type { Winner } from '../api/types';
import { useStore } from '../shared/store';
import { Cards } from './Cards';
import { News } from './News';
import { PickButton } from './PickButton';
import { Starter } from './Starter';
import { ALL_SLOTS, type Session } from './session';
import { sessions } from './sessions';
import './compare.css';

const pick = (winner: Winner) => sessions.pick(winner);

/** Shows what several models write about one service, and after the visitor's pick which model wrote what. */
export default function Compare() {
  const session = useStore(sessions.current);
  useNumberKeys();
  useEffect(() => void sessions.restore(), []);
  return (
    <div class="compare" data-phase={session.phase}>
      <h1>Which model says it best?</h1>
      <Starter session={session} start={(wish) => void sessions.start(wish)} />
      <News session={session} />
      <Cards session={session} pick={pick} />
      <Neither session={session} />
    </div>
  );
}

function Neither({ session }: { session: Session }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is sent together
    <div class="neither" role="group" aria-label="No single best">
      {(['tie', 'none'] as const).map((winner) => (
        <PickButton key={winner} session={session} winner={winner} pick={pick}>
          {winner === 'tie' ? 'It is a tie' : 'None of them'}
        </PickButton>
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
      if (slot) pick(slot);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
}
