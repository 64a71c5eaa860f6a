/** The statistics, fetched again and again while the visitor looks at them. */

import { fetchJson, Trouble } from '../api/client';
import type { StatsAnswer } from '../api/types';
import { Store } from '../shared/store';

/** The server computes the statistics as often as this. */
export const EVERY_MS = 120_000;
const AFTER_TROUBLE_MS = 20_000;

/** `stats` are the latest that arrived. `trouble` is set when the latest request failed, and then `stats` are old. */
export interface FeedState {
  stats: StatsAnswer | null;
  trouble: Trouble | null;
  loading: boolean;
}

export class Feed {
  readonly state = new Store<FeedState>({ stats: null, trouble: null, loading: false });

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
    let arrived: Partial<FeedState>;
    try {
      arrived = { stats: await fetchJson<StatsAnswer>('/stats', { signal: asking.signal }), trouble: null };
    } catch (error) {
      if (asking.signal.aborted) return;
      arrived = { trouble: error instanceof Trouble ? error : new Trouble('nonsense', 'Something went wrong here.') };
    }
    this.asking = null;
    this.dueAt = nextTry(arrived.trouble ?? null);
    this.set({ ...arrived, loading: false });
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

/** When to fetch again, in milliseconds since 1970. */
export function nextTry(trouble: Trouble | null, now = Date.now()): number {
  if (trouble === null || !trouble.passes) return now + EVERY_MS;
  return Math.max(now + AFTER_TROUBLE_MS, trouble.retryAt ?? 0);
}
