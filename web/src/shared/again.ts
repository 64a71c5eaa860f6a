/** Asking the server again, by itself, after a trouble that passes. */

import { useEffect } from 'preact/hooks';
import type { Trouble } from '../api/client';
import { online } from './connection';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;

/** When to ask again after so many failures in a row; null when that is pointless, or has to wait for a connection. */
export function nextTry(trouble: Trouble, failures: number, now = Date.now()): number | null {
  if (!trouble.passes || trouble.kind === 'offline') return null;
  return Math.max(now + Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS), trouble.retryAt ?? 0);
}

export interface Waiting {
  trouble: Trouble | null;
  /** When the page asks again by itself, in milliseconds since 1970; null when it does not, or not by the clock. */
  againAt: number | null;
}

/** Asks again when it is time, or when the connection is back, as soon as somebody looks at the page. */
export function useAgain({ trouble, againAt }: Waiting, ask: () => void) {
  useEffect(() => {
    if (trouble === null) return;
    const askOnceSeen = () => {
      if (!document.hidden) ask();
      else document.addEventListener('visibilitychange', ask, { once: true });
    };
    const timer = againAt === null ? undefined : setTimeout(askOnceSeen, againAt - Date.now());
    const unfollow = online.follow((isOnline) => {
      if (isOnline && (trouble.kind === 'offline' || trouble.kind === 'unreachable')) ask();
    });
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', ask);
      unfollow();
    };
  }, [trouble, againAt, ask]);
}
