import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asTrouble, fetchJson, type Trouble } from '../api/client';
import type { SayingAnswer } from '../api/types';
import { sayingVotes } from '../votes/post';
import { shown } from './shown';

const SLOW_MS = 1_500;

export interface SayingState {
  answer: SayingAnswer | null;
  phase: 'waiting' | 'slow' | 'idle';
  trouble: Trouble | null;
}

/** Returns the saying on the page and a function that gets another. A new request aborts the one before. */
export function useSaying(): SayingState & { another: () => void } {
  const [state, setState] = useState<SayingState>({ answer: shown.last, phase: 'waiting', trouble: null });
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
    fetchJson<SayingAnswer>(shown.request, { signal: mine.signal })
      .then(
        (answer) => {
          if (mine.signal.aborted) return;
          shown.add(answer);
          sayingVotes.meet(answer);
          update({ answer, phase: 'idle' });
        },
        (error) => update({ phase: 'idle', trouble: asTrouble(error) }),
      )
      .finally(() => clearTimeout(slow));
  }, []);

  useEffect(() => {
    if (shown.last === null) another();
    else setState({ answer: shown.last, phase: 'idle', trouble: null });
    return () => latest.current?.abort();
  }, [another]);
  return { ...state, another };
}
