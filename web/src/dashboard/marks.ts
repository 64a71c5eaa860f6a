/** The colour and shape of each model in all plots. */

import type { StatsAnswer } from '../api/types';

export const SHAPES = ['circle', 'square', 'triangle', 'diamond'] as const;
export type Shape = (typeof SHAPES)[number];

export interface Mark {
  colour: string;
  shape: Shape;
}

/** The mark of rows that are not a model. */
export const NEUTRAL: Mark = { colour: 'var(--edge)', shape: 'circle' };

const COLOURS = 4;

/** The marks of sixteen models differ; after that they repeat. */
export function markAt(place: number): Mark {
  const shape = SHAPES[(place + Math.floor(place / COLOURS)) % SHAPES.length] ?? 'circle';
  return { colour: `var(--model-${(place % COLOURS) + 1})`, shape };
}

/** The mark of each model by its id. It depends on the ids alone, so that it stays when the ranking changes. */
export function marksOf(stats: StatsAnswer): Map<string, Mark> {
  const ids = stats.models.map(({ model }) => model).sort();
  return new Map(ids.map((id, place) => [id, markAt(place)]));
}
