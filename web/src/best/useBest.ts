import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { asTrouble, fetchJson } from '../api/client';
import type { BestAnswer, StoredSaying } from '../api/types';
import { shown } from '../sayings/shown';
import { nextTry, useAgain, type Waiting } from '../shared/again';
import { requestOf, type Wish } from './wish';

export interface BestState extends Waiting {
  sayings: StoredSaying[];
  /** The cursor of the next page; null when there is none. */
  next: string | null;
  busy: boolean;
  /** How many sayings the pages had before the latest one. */
  before: number;
}

const NOTHING: BestState = { sayings: [], next: null, busy: true, before: 0, trouble: null, againAt: null };

/** Returns the pages of a list that have been fetched, and a function that fetches the next one. */
export function useBest(wish: Wish): BestState & { more: () => void } {
  const [state, setState] = useState(NOTHING);
  const latest = useRef<AbortController | null>(null);
  const failures = useRef(0);
  const { order, service, model } = wish;
  const list = useMemo(() => ({ order, service, model }), [order, service, model]);

  const fetchPage = useCallback(
    (cursor: string | null) => {
      latest.current?.abort();
      const mine = new AbortController();
      latest.current = mine;
      setState((before) => ({ ...before, busy: true, trouble: null, againAt: null }));
      fetchJson<BestAnswer>(requestOf(list, cursor), { signal: mine.signal }).then(
        (page) => {
          if (mine.signal.aborted) return;
          failures.current = 0;
          for (const saying of page.sayings) shown.reveal(saying);
          setState((before) => withPage(cursor === null ? NOTHING : before, page));
        },
        (error) => {
          if (mine.signal.aborted) return;
          const trouble = asTrouble(error);
          const againAt = nextTry(trouble, failures.current++);
          setState((before) => ({ ...(cursor === null ? NOTHING : before), busy: false, trouble, againAt }));
        },
      );
    },
    [list],
  );

  useEffect(() => {
    fetchPage(null);
    return () => latest.current?.abort();
  }, [fetchPage]);

  const { next } = state;
  const more = useCallback(() => fetchPage(next), [fetchPage, next]);
  useAgain(state, more);
  return { ...state, more };
}

function withPage({ sayings }: BestState, { sayings: others, next }: BestAnswer): BestState {
  return { ...NOTHING, sayings: [...sayings, ...others], next, busy: false, before: sayings.length };
}
