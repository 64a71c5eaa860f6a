import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asTrouble, fetchJson, type Trouble } from '../api/client';
import type { SayingAnswer } from '../api/types';

const SLOW_MS = 1_500;

export interface SayingState {
  answer: SayingAnswer | null;
  phase: 'waiting' | 'slow' | 'idle';
  trouble: Trouble | null;
}

/** Returns the saying on the page and a function that gets another. A new request aborts the one before. */
export function useSaying(): SayingState & { another: () => void } {
  const [state, setState] = useState<SayingState>({ answer: lastShown, phase: 'waiting', trouble: null });
  const latest = useRef<AbortController | null>(null);

  const another = useCallback(() => {
    latest.current?.abort();
    const mine = new AbortController();
    latest.current = mine;
    const update = (change: Partial<SayingState>) => {
      if (!mine.signal.aborted) setState((before) => ({ ...before, ...change }));
    };
    update({ phase: 'waiting', trouble: null });
    const slow = setTimeout(() => update({ phase: 'slow' }), SLOW_MS);
    fetchJson<SayingAnswer>('/sayings', { signal: mine.signal })
      .then(
        (answer) => {
          if (!mine.signal.aborted) lastShown = answer;
          update({ answer, phase: 'idle' });
        },
        (error) => update({ phase: 'idle', trouble: asTrouble(error) }),
      )
      .finally(() => clearTimeout(slow));
  }, []);

  useEffect(() => {
    if (lastShown === null) another();
    else setState({ answer: lastShown, phase: 'idle', trouble: null });
    return () => latest.current?.abort();
  }, [another]);
  return { ...state, another };
}

// A visitor who returns from another view sees the same saying, because the server counts every one that it serves.
let lastShown: SayingAnswer | null = null;
