import { useEffect, useState } from 'preact/hooks';
import { outbox } from '../votes/post';
import { online } from './connection';
import { useStore } from './store';
import { count } from './words';

const SHOWN_MS = 5_000;

/** Says that one is offline and what waits because of it, and afterwards that it is sent. Its room is always there. */
export function Connection() {
  const isOnline = useStore(online);
  const kept = useStore(outbox.kept);
  const sent = useSentLate();
  return (
    <div class="connection" role="status">
      {!isOnline && <p>{offline(kept)}</p>}
      {isOnline && sent > 0 && <p>Back online. {count(sent, 'kept vote')} sent.</p>}
    </div>
  );
}

function offline(kept: number): string {
  return `Offline. ${kept === 0 ? 'Votes are' : kept === 1 ? '1 vote is' : `${kept} votes are`} kept and sent later.`;
}

/** How many kept votes have been sent just now. */
function useSentLate(): number {
  const [sent, setSent] = useState(0);
  useEffect(
    () =>
      outbox.follow((news) => {
        if (news.outcome === 'answered' && news.late) setSent((before) => before + 1);
      }),
    [],
  );
  useEffect(() => {
    if (sent === 0) return;
    const timer = setTimeout(() => setSent(0), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [sent]);
  return sent;
}
