import { useEffect, useRef, useState } from 'preact/hooks';
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
      {isOnline && late.answered > 0 && <p>{sent(late)}</p>}
      {isOnline && late.refused > 0 && <p>{count(late.refused, 'kept vote')} came too late to be stored.</p>}
    </div>
  );
}

function offline(kept: number): string {
  return `Offline. ${kept === 0 ? 'Votes are' : kept === 1 ? '1 vote is' : `${kept} votes are`} kept and sent later.`;
}

function sent({ answered, wasOffline }: Late): string {
  return `${wasOffline ? 'Back online. ' : ''}${count(answered, 'kept vote')} sent.`;
}

interface Late {
  answered: number;
  refused: number;
  /** Whether the votes waited for a connection, and not for a server that had no time for them. */
  wasOffline: boolean;
}

const NONE: Late = { answered: 0, refused: 0, wasOffline: false };

/** How many kept votes the server has taken or refused in the last few seconds. */
function useLateDeliveries(): Late {
  const [late, setLate] = useState(NONE);
  const wasOffline = useRef(false);
  useEffect(
    () =>
      online.follow((isOnline) => {
        wasOffline.current ||= !isOnline;
      }),
    [],
  );
  useEffect(
    () =>
      outbox.follow(({ late: isLate, outcome }) => {
        if (!isLate || outcome === 'kept') return;
        setLate((before) => ({ ...before, [outcome]: before[outcome] + 1, wasOffline: wasOffline.current }));
      }),
    [],
  );
  useEffect(() => {
    if (late === NONE) return;
    const timer = setTimeout(() => {
      wasOffline.current = false;
      setLate(NONE);
    }, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [late]);
  return late;
}
