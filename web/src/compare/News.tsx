import { online } from '../shared/connection';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import type { Session } from './session';
import { noneLeft, progress, replay, stage, verdict } from './words';

/** Says how far the comparison is, what became of the pick, and what went wrong. */
export function News({ session }: { session: Session }) {
  const { slots, landed } = session;
  const now = stage(session);
  const why = replay(session);
  return (
    <div class="arena-news">
      <div role="status">
        <Headline session={session} />
        {why && now !== 'revealed' && <p class="note">{why}</p>}
      </div>
      {session.phase === 'running' && <progress aria-label="Answers" max={slots.length} value={landed} />}
      {(now === 'open' || now === 'picked') && <Rules />}
    </div>
  );
}

function Headline({ session }: { session: Session }) {
  const { phase, reveal, trouble, kept, retryAt } = session;
  const isOnline = useStore(online);
  if (kept) return <p class="note">{keptPick(isOnline)}</p>;
  if (trouble && retryAt !== null && !isOnline) return <p class="note">{OFFLINE}</p>;
  if (trouble && retryAt !== null) return <TroubleNote trouble={trouble} again at={retryAt} />;
  if (trouble?.code === 'comparison_not_found' && phase === 'closed') {
    return <p class="headline">{noneLeft(session)}</p>;
  }
  if (trouble) return <TroubleNote prefix={phase === 'open' ? 'Your pick was not stored.' : ''} trouble={trouble} />;
  if (reveal)
    return (
      <p class="headline" key="verdict">
        {verdict(reveal)}
      </p>
    );
  return <p class="headline">{progress(session)}</p>;
}

function Rules() {
  return (
    <p class="note rules">
      Press the one that you like best; then you see who wrote what.{' '}
      <span class="hint">
        Once the focus is on the answers, <kbd>1</kbd> to <kbd>4</kbd> or <kbd>A</kbd> to <kbd>D</kbd> do the same.
      </span>
    </p>
  );
}

const OFFLINE = 'You are offline. The comparison is asked for again as soon as you are back.';

function keptPick(isOnline: boolean): string {
  if (!isOnline) return 'You are offline. Your pick is kept here; once it can be sent, you will see who wrote what.';
  return 'Your pick could not be stored yet. It is kept here and sent again; then you will see who wrote what.';
}
