/** How often people pick each model, as the statistics say. */

import { fetchJson } from '../api/client';
import type { StatsAnswer } from '../api/types';
import { Store } from '../shared/store';

export const popularity = new Store<StatsAnswer | null>(null);

export async function fetchPopularity(): Promise<void> {
  try {
    popularity.value = await fetchJson<StatsAnswer>('/stats');
  } catch {
    // The reveal does without it.
  }
}
