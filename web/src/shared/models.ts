/** The models that take part, as the server says when the page is opened. */

import { fetchJson } from '../api/client';
import type { ModelsAnswer } from '../api/types';
import { Store } from './store';
import { count, day, list } from './words';

type Models = ModelsAnswer['models'];

export const catalogue = new Store<ModelsAnswer | null>(null);

// From so many days before its end on, the page says that a model retires.
const NOTICE_DAYS = 30;
const DAY_MS = 86_400_000;

export async function fetchModels(): Promise<void> {
  try {
    catalogue.value = await fetchJson<ModelsAnswer>('/models');
  } catch {
    // The page does without these remarks, because the source of every saying tells who wrote it.
  }
}

/** The names of the vendors whose models are simulated, each once, in the order of the catalogue. */
export function vendorsOfSimulated(models: Models): string[] {
  return [...new Set(models.filter(({ simulated }) => simulated).map(({ vendor }) => vendor))];
}

/** Who retires soon and who follows, and which seats are empty: a sentence for each seat, as of `now`. */
export function changes({ seats, models }: ModelsAnswer, now = Date.now()): string[] {
  const byId = new Map(models.map((model) => [model.model, model]));
  return seats.flatMap(({ seat, model, next }) => {
    if (model === null) {
      const gone = models.filter((each) => each.seat === seat && each.state === 'gone').map(({ name }) => name);
      return gone.length ? [`A seat is empty: its vendor no longer has ${list(gone)}.`] : [];
    }
    const holder = byId.get(model);
    if (!holder?.retires) return [];
    const days = Math.ceil((Date.parse(holder.retires) - now) / DAY_MS);
    if (days > NOTICE_DAYS || days <= 0) return [];
    const follower = byId.get(next ?? '');
    const follows = follower ? `; ${follower.name} takes its seat` : '';
    return [`${holder.name} retires in ${count(days, 'day')}, on ${day(holder.retires)}${follows}.`];
  });
}
