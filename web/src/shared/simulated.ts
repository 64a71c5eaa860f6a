/** The vendors whose models are simulated, as the server says when the page is opened. */

import { fetchJson } from '../api/client';
import type { ModelsAnswer } from '../api/types';
import { Store } from './store';

export const simulatedVendors = new Store<readonly string[]>([]);

export async function fetchSimulatedVendors(): Promise<void> {
  try {
    const { models } = await fetchJson<ModelsAnswer>('/models');
    simulatedVendors.value = vendorsOfSimulated(models);
  } catch {
    // The page does without the banner, because the source of every saying tells the same.
  }
}

/** The names of these vendors, each once, in the order of the catalogue. */
export function vendorsOfSimulated(models: ModelsAnswer['models']): string[] {
  return [...new Set(models.filter(({ simulated }) => simulated).map(({ vendor }) => vendor))];
}
