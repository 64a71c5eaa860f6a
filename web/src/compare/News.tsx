import { online } from '../shared/connection';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import type { Session } from './session';
import { progress, replay, verdict } from './words';

/** Says how far the comparison is, what became of the pick, and what went wrong. */
export function News({ session }: { session: Session }) {
  const { phase, slots, landed } = session;
  const why = replay(session);
  return (
    <div class="compare-news">
      <progress aria-label="Answers" max={slots.length} value={landed} hidden={phase === 'idle'} />
      <div role="status">
        <Headline session={session} />
        {why && <p class="note">{why}</p>}
      </div>
    </div>
  );
}

function Headline({ session }: { session: Session }) {
  const { phase, pick, reveal, trouble, kept } = session;
  const isOnline = useStore(online);
  if (kept) return <p class="note">{keptPick(isOnline)}</p>;
  if (trouble) return <TroubleNote prefix={phase === 'open' ? 'Your pick was not stored.' : ''} trouble={trouble} />;
  if (reveal) return <p class="headline">{verdict(reveal)}</p>;
  if (pick) return <p class="headline">Your pick is on its way …</p>;
  if (phase === 'idle') return <p class="note">{RULES}</p>;
  return <p class="headline">{progress(session)}</p>;
}

const RULES =
  'All models get the same prompt at once. You see who wrote what, how fast and for how much, once you have picked.';

function keptPick(isOnline: boolean): string {
  if (!isOnline) return 'You are offline. Your pick is kept here; once it can be sent, you will see who wrote what.';
  return 'Your pick could not be stored yet. It is kept here and sent again; then you will see who wrote what.';
}
