import { useEffect } from 'preact/hooks';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import { sayingVotes } from '../votes/post';
import { unveiled } from '../votes/sayingVotes';
import { Quotation } from './Quotation';
import { Report } from './Report';
import { Share } from './Share';
import { useSaying } from './useSaying';
import { VoteButtons } from './VoteButtons';
import { VoteNews } from './VoteNews';
import './sayings.css';

export function Sayings() {
  const { answer, phase, trouble, another } = useSaying();
  const vote = useStore(sayingVotes.of(answer?.sayingId ?? ''));
  const told = answer && unveiled(answer, vote);
  useSpaceBar(another);
  return (
    <>
      <h1 class="unseen">Sayings about the cloud</h1>
      <Quotation answer={told} vote={vote} busy={phase !== 'idle'} />
      <div class="controls">
        <button type="button" class="button primary" onClick={another}>
          Another saying
        </button>
        <VoteButtons answer={answer} vote={vote} />
        <div class="share">
          <Share answer={told} />
          <Report answer={answer} />
        </div>
      </div>
      <div class="news" role="status">
        {phase === 'slow' && <p class="note">Still waiting: a saying written live takes a few seconds.</p>}
        {trouble && <TroubleNote trouble={trouble} />}
        {phase !== 'slow' && answer && <VoteNews vote={vote} />}
      </div>
      <p class="hint">
        <kbd>Space</kbd> brings another, too.
      </p>
    </>
  );
}

/** Calls `action` when the space bar is pressed where it has no other meaning. */
function useSpaceBar(action: () => void) {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== ' ' || event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
      if (
        event.target instanceof Element &&
        event.target.closest('a, button, input, select, textarea, summary, dialog')
      )
        return;
      event.preventDefault(); // the page would scroll
      action();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [action]);
}
