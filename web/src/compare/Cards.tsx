import type { RefObject } from 'preact';
import type { RevealedSlot, Slot, StatsAnswer, Winner } from '../api/types';
import { marksOf, NEUTRAL } from '../shared/marks';
import { catalogue } from '../shared/models';
import { Shape } from '../shared/Shape';
import { useStore } from '../shared/store';
import { popularity } from './popularity';
import { ALL_SLOTS, canPick, type Reveal, type Session } from './session';
import { facts, failure, howOften, modelName, stage } from './words';

interface CardsProps {
  session: Session;
  pick: (winner: Winner) => void;
  list: RefObject<HTMLUListElement | null>;
}

/**
 * The answers in their random order. With the answers, and with their authors, come new elements that take more space
 * than those before, so that nothing that a visitor has seen moves.
 */
export function Cards({ session, pick, list }: CardsProps) {
  const now = stage(session);
  const { slots, answers, reveal } = session;
  const pickByKey = (event: KeyboardEvent) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const slot = ALL_SLOTS[Number(event.key) - 1] ?? ALL_SLOTS.find((letter) => letter === event.key.toUpperCase());
    if (slot) pick(slot);
  };
  if (now === 'idle') return <Welcome />;
  if (now === 'closed' && Object.keys(answers).length === 0) return null;
  return (
    <ul
      class="slots"
      key={now === 'picked' ? 'open' : now}
      ref={list}
      tabIndex={-1}
      aria-label="Answers"
      onKeyDown={pickByKey}
    >
      {reveal && !reveal.unverified
        ? reveal.slots.map((slot) => <Revealed key={slot.slot} slot={slot} reveal={reveal} />)
        : slots.map((slot) => <Card key={slot} slot={slot} session={session} pick={pick} />)}
    </ul>
  );
}

function Welcome() {
  return (
    <div class="card welcome">
      <p class="wording">Four models, one service, no names.</p>
      <p class="note">
        All of them get the same prompt at once. You say which one put it best, and then you see who wrote what, how
        fast and for how much. There is no earlier comparison here that you have not seen, so this one will be yours.
      </p>
    </div>
  );
}

function Card({ slot, session, pick }: { slot: Slot; session: Session; pick: (winner: Winner) => void }) {
  const answer = session.answers[slot];
  if (!answer) {
    return (
      <li class="card slot" data-state="writing">
        <Letter slot={slot} />
        <p class="writing">
          <span class="unseen">Still writing</span>
        </p>
      </li>
    );
  }
  if (answer.saying === null) {
    return (
      <li class="card slot" data-state="failed">
        <Letter slot={slot} />
        <p class="note">No answer. {failure(answer.error ?? '')}</p>
      </li>
    );
  }
  return (
    <li class="slot" data-state="answered">
      <button
        type="button"
        class="card choice"
        aria-pressed={session.pick === slot}
        aria-keyshortcuts={`${slot} ${ALL_SLOTS.indexOf(slot) + 1}`}
        aria-disabled={!canPick(session, slot)}
        onClick={() => pick(slot)}
      >
        <Letter slot={slot} />
        <span class="wording" dir="auto">
          {answer.saying}
        </span>
      </button>
    </li>
  );
}

function Letter({ slot }: { slot: Slot }) {
  return (
    <span class="letter">
      <span class="unseen">Answer </span>
      {slot}
    </span>
  );
}

function Revealed({ slot, reveal }: { slot: RevealedSlot; reveal: Reveal }) {
  const stats = useStore(popularity);
  const mark = marksOf([slot.model], useStore(catalogue)).get(slot.model) ?? NEUTRAL;
  const isPicked = reveal.winner === slot.slot;
  return (
    <li class="card slot" data-state="revealed" data-picked={isPicked} style={{ '--mark': mark.colour }}>
      <h2 class="author">
        <Letter slot={slot.slot} /> <Shape mark={mark} /> <span class="name">{modelName(slot.source)}</span>
        {isPicked && <span class="tag">your pick</span>}
      </h2>
      {slot.saying === null ? (
        <p class="note">No answer. {failure(slot.error ?? '')}</p>
      ) : (
        <blockquote class="wording" dir="auto">
          {slot.saying}
        </blockquote>
      )}
      <Facts slot={slot} reveal={reveal} stats={stats} />
    </li>
  );
}

function Facts({ slot, reveal, stats }: { slot: RevealedSlot; reveal: Reveal; stats: StatsAnswer | null }) {
  const often = howOften(slot.model, stats);
  return (
    <div class="facts">
      {often && <p>{often}</p>}
      <ul>
        {facts(slot, reveal.slots).map(({ text, best }) => (
          <li key={text}>
            {text} {best && <span class="best">{best}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
