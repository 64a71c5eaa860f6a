/** The approval of each model, to be told once its name is known. */

import { fetchJson } from '../api/client';
import type { StatsAnswer } from '../api/types';
import { Store } from '../shared/store';

// The server computes the statistics as often as this.
const EVERY_MS = 120_000;

/** Shares of upvotes, by model. Models with too few votes are missing. */
export const approval = new Store<ReadonlyMap<string, number>>(new Map());

let askedAt = Number.NEGATIVE_INFINITY;

/** Asks for the figures when the page has nothing else to do, unless it did so a moment ago. */
export function wantStandings(): void {
  if (performance.now() - askedAt < EVERY_MS) return;
  askedAt = performance.now();
  // Safari has no idle callbacks.
  if ('requestIdleCallback' in window) requestIdleCallback(() => void fetchApproval());
  else setTimeout(fetchApproval, 1_000);
}

async function fetchApproval(): Promise<void> {
  try {
    const { models } = await fetchJson<StatsAnswer>('/stats');
    approval.value = new Map(
      models.flatMap(({ model, recent }) => (recent.approval.value === null ? [] : [[model, recent.approval.value]])),
    );
  } catch {
    // The page does without these figures, which the dashboard has as well.
  }
}
