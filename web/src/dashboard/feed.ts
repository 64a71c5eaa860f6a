/** The statistics, fetched again and again while the visitor looks at them. */

import { fetchJson, Trouble } from '../api/client';
import type { StatsAnswer } from '../api/types';
import { Store } from '../shared/store';

/** The server computes the statistics anew when they are as old as this. */
export const EVERY_MS = 120_000;
const SOON_MS = 20_000;

/**
 * `stats` are the latest that arrived. `trouble` is set when the latest request failed, and then `stats` are old;
 * `retryAt` is when they are asked for again then, in milliseconds since 1970.
 */
export interface FeedState {
  stats: StatsAnswer | null;
  trouble: Trouble | null;
  retryAt: number | null;
  loading: boolean;
}

export class Feed {
  readonly state = new Store<FeedState>({ stats: null, trouble: null, retryAt: null, loading: false });

  private dueAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking: AbortController | null = null;

  /** Starts fetching, at once if it is time. Returns a function that stops it. */
  start(): () => void {
    document.addEventListener('visibilitychange', this.wake);
    addEventListener('online', this.refresh);
    this.wake();
    return () => {
      document.removeEventListener('visibilitychange', this.wake);
      removeEventListener('online', this.refresh);
      clearTimeout(this.timer);
      this.asking?.abort();
      this.asking = null;
      this.set({ loading: false });
    };
  }

  /** Fetches now, unless a request is under way. */
  readonly refresh = async (): Promise<void> => {
    if (this.asking) return;
    const asking = new AbortController();
    this.asking = asking;
    this.set({ loading: true });
    let arrived: Pick<FeedState, 'trouble'> & Partial<FeedState>;
    try {
      arrived = { stats: await fetchJson<StatsAnswer>('/stats', { signal: asking.signal }), trouble: null };
    } catch (error) {
      if (asking.signal.aborted) return;
      arrived = { trouble: error instanceof Trouble ? error : new Trouble('nonsense', 'Something went wrong here.') };
    }
    this.asking = null;
    this.dueAt = arrived.trouble ? nextTry(arrived.trouble) : nextFigures(arrived.stats?.generatedAt ?? '');
    this.set({ ...arrived, retryAt: arrived.trouble ? this.dueAt : null, loading: false });
    this.wait();
  };

  private readonly wake = (): void => {
    if (document.hidden) clearTimeout(this.timer);
    else if (Date.now() >= this.dueAt) void this.refresh();
    else this.wait();
  };

  private wait(): void {
    clearTimeout(this.timer);
    if (!document.hidden) this.timer = setTimeout(this.wake, this.dueAt - Date.now());
  }

  private set(changed: Partial<FeedState>): void {
    this.state.value = { ...this.state.value, ...changed };
  }
}

/** When to ask again after a trouble, in milliseconds since 1970. */
export function nextTry(trouble: Trouble, now = Date.now()): number {
  if (!trouble.passes) return now + EVERY_MS;
  return Math.max(now + SOON_MS, trouble.retryAt ?? 0);
}

/** When the server has newer figures than those of this moment, in milliseconds since 1970. */
export function nextFigures(generatedAt: string, now = Date.now()): number {
  const at = Date.parse(generatedAt) + EVERY_MS;
  // The clocks of the server and of this device may differ, and figures may be stale.
  return Math.min(Math.max(at, now + SOON_MS), now + EVERY_MS);
}
