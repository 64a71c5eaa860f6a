import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { call, lost, type Trouble } from '../api/client';
import type { SayingAnswer } from '../api/types';

const SLOW_MS = 1_500;

export interface SayingState {
  answer: SayingAnswer | null;
  phase: 'waiting' | 'slow' | 'idle';
  trouble: Trouble | null;
}

/** The saying on the page, and how to get another. The newest request wins; the others are called off. */
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
    call<SayingAnswer>('/sayings', { signal: mine.signal })
      .then(
        (answer) => {
          if (!mine.signal.aborted) lastShown = answer;
          update({ answer, phase: 'idle' });
        },
        (error) => update({ phase: 'idle', trouble: lost(error) }),
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

// Who comes back from another view finds the saying that was there: serves are counted.
let lastShown: SayingAnswer | null = null;
