import { useEffect, useState } from 'preact/hooks';
import { outbox } from '../votes/post';
import { online } from './connection';
import { useStore } from './store';
import { count } from './words';

const SHOWN_MS = 5_000;

/** Says that the device is offline and how many votes wait, and later what became of them. Its space is reserved. */
export function Connection() {
  const isOnline = useStore(online);
  const kept = useStore(outbox.kept);
  const late = useLateDeliveries();
  return (
    <div class="connection" role="status">
      {!isOnline && <p>{offline(kept)}</p>}
      {isOnline && late.answered > 0 && <p>Back online. {count(late.answered, 'kept vote')} sent.</p>}
      {isOnline && late.refused > 0 && <p>{count(late.refused, 'kept vote')} came too late to be stored.</p>}
    </div>
  );
}

function offline(kept: number): string {
  return `Offline. ${kept === 0 ? 'Votes are' : kept === 1 ? '1 vote is' : `${kept} votes are`} kept and sent later.`;
}

const NONE = { answered: 0, refused: 0 };

/** How many kept votes the server has taken or refused in the last few seconds. */
function useLateDeliveries(): typeof NONE {
  const [late, setLate] = useState(NONE);
  useEffect(
    () =>
      outbox.follow((delivery) => {
        const { outcome } = delivery;
        if (delivery.late && outcome !== 'kept') setLate((before) => ({ ...before, [outcome]: before[outcome] + 1 }));
      }),
    [],
  );
  useEffect(() => {
    if (late === NONE) return;
    const timer = setTimeout(() => setLate(NONE), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [late]);
  return late;
}
