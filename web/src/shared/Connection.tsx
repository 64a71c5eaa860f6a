import { useEffect, useState } from 'preact/hooks';
import { outbox } from '../votes/post';
import { online } from './connection';
import { useStore } from './store';
import { count } from './words';

const SHOWN_MS = 5_000;

/** Says that the device is offline and how many votes wait, and later that they are sent. Its space is reserved. */
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

/** The number of kept votes that were sent in the last few seconds. */
function useSentLate(): number {
  const [sent, setSent] = useState(0);
  useEffect(
    () =>
      outbox.follow((delivery) => {
        if (delivery.outcome === 'answered' && delivery.late) setSent((before) => before + 1);
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
