import type { RefObject } from 'preact';
import type { SayingAnswer } from '../api/types';
import type { SayingVote } from '../votes/sayingVotes';
import { Report } from './Report';
import { Share } from './Share';
import type { SayingState } from './useSaying';
import { VoteButtons } from './VoteButtons';

interface ControlsProps {
  state: SayingState;
  /** The saying with its author, as far as the visitor may know who that is. */
  told: SayingAnswer | null;
  vote: SayingVote;
  bar: RefObject<HTMLDivElement | null>;
}

/** The buttons for the saying on the page. They stay on the screen however long the saying is. */
export function Controls({ state, told, vote, bar }: ControlsProps) {
  const { list, current, another, go } = state;
  const answer = current?.answer ?? null;
  const place = list.findIndex((read) => read.answer.sayingId === answer?.sayingId);
  return (
    <div class="controls" ref={bar}>
      <button type="button" class="button primary" onClick={another}>
        Another saying
      </button>
      <VoteButtons answer={answer} vote={vote} />
      <div class="links">
        <Step steps={-1} possible={place > 0} go={go} sign="←" name="Earlier" />
        <Step steps={1} possible={place >= 0 && place < list.length - 1} go={go} sign="→" name="Later" />
        <Share answer={told} />
        <Report sayingId={answer?.sayingId ?? null} />
      </div>
    </div>
  );
}

interface StepProps {
  steps: number;
  possible: boolean;
  go: (steps: number) => void;
  sign: string;
  name: string;
}

// Not disabled at the end of the list, because a button that has the focus would lose it.
function Step({ steps, possible, go, sign, name }: StepProps) {
  return (
    <button type="button" class="text-button step" aria-disabled={!possible} onClick={() => possible && go(steps)}>
      <span aria-hidden="true">{sign}</span>
      <span class="step-name">{name}</span>
    </button>
  );
}
