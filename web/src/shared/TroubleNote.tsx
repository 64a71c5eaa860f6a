import { useEffect, useState } from 'preact/hooks';
import type { Trouble } from '../api/client';
import { inSeconds, secondsUntil } from './words';

interface TroubleProps {
  trouble: Trouble;
  /** What it means for what was being done. */
  prefix?: string;
  /** The page tries again by itself. */
  again?: boolean;
}

/** What went wrong, in the server's words, when to try again, and the request's id for who asks us about it. */
export function TroubleNote({ trouble, prefix = '', again = false }: TroubleProps) {
  const { message, retryAt, requestId } = trouble;
  return (
    <p class="note trouble">
      {prefix} {message} {retryAt !== null && <RetryTime at={retryAt} again={again} />}
      {requestId && <code class="request-id">Request {requestId}</code>}
    </p>
  );
}

/** Counts down for who looks; who listens is told once, and again when it is over. */
function RetryTime({ at, again }: { at: number; again: boolean }) {
  const left = useSecondsUntil(at);
  const [first] = useState(left);
  if (left === 0) return <span class="retry">{again ? 'It is being sent again.' : 'You can try again now.'}</span>;
  const words = (seconds: number) => `${again ? 'It is sent again' : 'Try again'} ${inSeconds(seconds)}.`;
  return (
    <span class="retry">
      <span aria-hidden="true">{words(left)}</span>
      <span class="unseen">{words(first)}</span>
    </span>
  );
}

function useSecondsUntil(at: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  return secondsUntil(at, now);
}
