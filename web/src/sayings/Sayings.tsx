import { useCallback, useEffect, useRef } from 'preact/hooks';
import { keepsCookies } from '../shared/cookies';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import { sayingVotes } from '../votes/post';
import { unveiled } from '../votes/sayingVotes';
import { Controls } from './Controls';
import { Details } from './Details';
import { Ground } from './Ground';
import { GuessButtons, GuessNews } from './GuessButtons';
import { keysOn, switchKeys, useKeys } from './keys';
import { Nothing, Quotation } from './Quotation';
import { ReadList } from './ReadList';
import { useSaying } from './useSaying';
import { VoteNews } from './VoteNews';
import { attribution, NO_COOKIE } from './words';
import './sayings.css';

export function Sayings() {
  const state = useSaying();
  const { current, phase, trouble, againAt, another, go } = state;
  const vote = useStore(sayingVotes.of(current?.answer.sayingId ?? ''));
  const told = current && unveiled(current.answer, vote);
  const stage = useRef<HTMLElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  useBeginning(stage, current?.answer.sayingId);
  const next = useCallback(() => {
    const isRead = canSeeEnd(stage.current, bar.current);
    if (isRead) another();
    return isRead;
  }, [another]);
  useKeys(next, go);
  return (
    <>
      <h1 class="unseen">Sayings about the cloud</h1>
      <div class="reader">
        <p class="lead">
          Short analogies about AWS services, written by language models. Vote before you know who wrote it.
        </p>
        <section class="stage" aria-label="Saying" aria-busy={phase !== 'idle'} ref={stage}>
          <Ground services={current?.answer.services ?? []} />
          <figure class="quotation" aria-live="polite">
            {told ? (
              <Quotation {...told} author={attribution(told, vote)} key={told.sayingId} />
            ) : (
              <Nothing>{phase === 'idle' && 'No saying yet.'}</Nothing>
            )}
          </figure>
          {current && told?.source === null && vote.wanted === null && (
            <GuessButtons key={told.sayingId} read={current} />
          )}
          <div class="news" role="status">
            {phase === 'slow' && (
              <p class="note">Still waiting: the network is slow, or a model is writing just now.</p>
            )}
            {trouble && <TroubleNote trouble={trouble} at={againAt ?? trouble.retryAt} again={againAt !== null} />}
            {current && <GuessNews read={current} />}
            {phase !== 'slow' && told && <VoteNews saying={told} vote={vote} />}
            {!keepsCookies && vote.stored === null && <p class="note">{NO_COOKIE}</p>}
          </div>
        </section>
        <Controls state={state} told={told} vote={vote} bar={bar} />
      </div>
      <div class="aside">
        <KeySwitch />
        {told && <Details answer={told} />}
        <ReadList list={state.list} />
      </div>
    </>
  );
}

function KeySwitch() {
  const on = useStore(keysOn);
  return (
    <p class="keys">
      <button type="button" class="text-button" role="switch" aria-checked={on} onClick={() => switchKeys(!on)}>
        Keys
      </button>
      <span>
        <kbd>Space</kbd> brings another saying, <kbd>←</kbd> and <kbd>→</kbd> go through those you have read.
      </span>
    </p>
  );
}

/** Whether the end of the saying and the buttons are on the screen, so that there is nothing left to scroll to. */
function canSeeEnd(stage: HTMLElement | null, bar: HTMLElement | null): boolean {
  const end = stage?.querySelector('.saying')?.getBoundingClientRect();
  const buttons = bar?.getBoundingClientRect();
  if (!end || !buttons) return false;
  return end.bottom <= buttons.top + 1 && buttons.top >= 0 && buttons.bottom <= innerHeight + 1;
}

/** Brings the beginning of another saying back onto the screen where the visitor has scrolled past it. */
function useBeginning(stage: { current: HTMLElement | null }, sayingId: string | undefined) {
  const before = useRef(sayingId);
  useEffect(() => {
    const isAbove = (stage.current?.getBoundingClientRect().top ?? 0) < 0;
    if (before.current !== undefined && before.current !== sayingId && isAbove) stage.current?.scrollIntoView();
    before.current = sayingId;
  }, [stage, sayingId]);
}
