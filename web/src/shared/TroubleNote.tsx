import { useEffect, useState } from 'preact/hooks';
import type { Trouble } from '../api/client';
import { inSeconds, secondsUntil } from './words';

interface TroubleProps {
  trouble: Trouble;
  /** What the trouble means for the visitor's action. */
  prefix?: string;
  /** What the page does again by itself, such as "sent"; by default, it is for the visitor to try again. */
  again?: string;
  /** When that is, in milliseconds since 1970; null when it is not known. By default, it is as the server says. */
  at?: number | null;
}

/** Shows the server's message, when to try again, and the request's id, which a visitor can quote in a question. */
export function TroubleNote({ trouble, prefix = '', again = '', at = trouble.retryAt }: TroubleProps) {
  const { message, requestId } = trouble;
  return (
    <p class="note trouble">
      {prefix} {message} {at !== null && <RetryTime at={at} again={again} />}
      {requestId && <code class="request-id">Request {requestId}</code>}
    </p>
  );
}

/** Counts down on the screen. A screen reader announces the time once, and again when it is over. */
function RetryTime({ at, again }: { at: number; again: string }) {
  const left = useSecondsUntil(at);
  const [first] = useState(left);
  if (left === 0) return <span class="retry">{again ? `It is being ${again} again.` : 'You can try again now.'}</span>;
  const words = (seconds: number) => `${again ? `It is ${again} again` : 'Try again'} ${inSeconds(seconds)}.`;
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
