import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asTrouble, fetchJson } from '../api/client';
import type { SayingAnswer } from '../api/types';
import { nextTry, useAgain, type Waiting } from '../shared/again';
import { keepsCookies } from '../shared/cookies';
import { useStore } from '../shared/store';
import { type Place, shown } from './shown';

const SLOW_MS = 1_500;

export interface Asking extends Waiting {
  phase: 'waiting' | 'slow' | 'idle';
}

const IDLE: Asking = { phase: 'idle', trouble: null, againAt: null };

export interface SayingState extends Place, Asking {
  /** Asks for another saying. A new request aborts the one before. */
  another: () => void;
  /** Goes to a saying that was shown before or after this one. */
  go: (steps: number) => void;
}

/** Returns the saying on the page, and the ways to others. */
export function useSaying(): SayingState {
  const place = useStore(shown.place);
  const [asking, setAsking] = useState<Asking>(IDLE);
  const latest = useRef<AbortController | null>(null);
  const failures = useRef(0);

  const another = useCallback(() => {
    latest.current?.abort();
    const mine = new AbortController();
    latest.current = mine;
    const update = (change: Asking) => {
      if (!mine.signal.aborted) setAsking(change);
    };
    update({ ...IDLE, phase: 'waiting' });
    const slow = setTimeout(() => update({ ...IDLE, phase: 'slow' }), SLOW_MS);
    // Without a cookie the author could not come with the vote, so it is named at once.
    fetchJson<SayingAnswer>(shown.request(keepsCookies), { signal: mine.signal })
      .then(
        (answer) => {
          if (mine.signal.aborted) return;
          failures.current = 0;
          shown.add(answer);
          update(IDLE);
        },
        (error) => {
          const trouble = asTrouble(error);
          update({ phase: 'idle', trouble, againAt: nextTry(trouble, failures.current++) });
        },
      )
      .finally(() => clearTimeout(slow));
  }, []);

  const go = useCallback((steps: number) => {
    latest.current?.abort();
    setAsking(IDLE);
    shown.go(steps);
  }, []);

  useEffect(() => {
    if (shown.place.value.current === null) another();
    return () => latest.current?.abort();
  }, [another]);
  useAgain(asking, another);
  return { ...place, ...asking, another, go };
}
