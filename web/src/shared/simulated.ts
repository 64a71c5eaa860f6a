/** Whether the models are simulated: what the server says of itself, asked once. */

import { fetchJson } from '../api/client';
import type { ModelsAnswer } from '../api/types';
import { Store } from './store';

export const simulated = new Store(false);

export async function askWhetherSimulated(): Promise<void> {
  try {
    const { models } = await fetchJson<ModelsAnswer>('/models');
    simulated.value = models.some((model) => model.simulated);
  } catch {
    // Nobody misses a banner; every source says it besides.
  }
}
