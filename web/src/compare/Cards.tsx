import type { Slot, Winner } from '../api/types';
import { PickButton } from './PickButton';
import type { Session } from './session';
import { facts, failure, modelName } from './words';

/** The answers in their random order. Each card reserves the space of the longest, so that nothing moves. */
export function Cards({ session, pick }: { session: Session; pick: (winner: Winner) => void }) {
  return (
    <ul class="slots">
      {session.slots.map((slot, index) => (
        <Card key={slot} slot={slot} digit={index + 1} session={session} pick={pick} />
      ))}
    </ul>
  );
}

interface CardProps {
  slot: Slot;
  digit: number;
  session: Session;
  pick: (winner: Winner) => void;
}

function Card({ slot, digit, session, pick }: CardProps) {
  const { phase, answers, pick: picked } = session;
  const revealed = session.reveal?.slots.find((each) => each.slot === slot);
  const answer = revealed ?? answers[slot];
  const state = answer ? (answer.saying === null ? 'failed' : 'answered') : phase === 'running' ? 'writing' : 'empty';
  return (
    <li class="card slot" data-state={state} data-picked={picked === slot}>
      <h2 class="letter">
        <span class="unseen">Answer </span>
        {slot}
      </h2>
      <div class="words">
        <p class="room" aria-hidden="true" data-long="true">
          {LONGEST}
        </p>
        <div>
          {answer?.saying != null && (
            <blockquote dir="auto" data-long={answer.saying.length > LONG}>
              {answer.saying}
            </blockquote>
          )}
          {answer?.error != null && <p class="note">No answer. {failure(answer.error)}</p>}
          {state === 'writing' && <Writing />}
        </div>
      </div>
      <div class="foot">
        <Unveiled slot={slot} session={session} />
        <PickButton session={session} winner={slot} pick={pick} shortcut={String(digit)}>
          Pick {slot}
        </PickButton>
      </div>
    </li>
  );
}

function Writing() {
  return (
    <p class="writing">
      <span class="unseen">Still writing</span>
    </p>
  );
}

function Unveiled({ slot, session: { reveal } }: { slot: Slot; session: Session }) {
  const found = reveal?.slots.find((revealed) => revealed.slot === slot);
  if (!reveal || !found) return <div class="unveiled" />;
  return (
    <div class="unveiled">
      <p>
        <strong>{modelName(found.source)}</strong>
      </p>
      <ul class="facts">
        {facts(found, reveal.slots).map(({ text, best }) => (
          <li key={text}>
            {text} {best && <span class="best">{best}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

// Sayings of more characters are set in smaller type.
const LONG = 160;
// A saying of the greatest length that the server allows.
const LONGEST =
  'It is like a hotel that never closes, where every guest gets a room the moment they walk in, the night clerk has ' +
  'already forgotten their name by the time they leave, and the bill comes to the second, which seems so fair until ' +
  'one remembers that the lights were on for all of last June.';
