/** The colour and shape of each model, the same on the whole page. */

import type { ModelsAnswer } from '../api/types';

export const SHAPES = ['circle', 'square', 'triangle', 'diamond'] as const;
export type Shape = (typeof SHAPES)[number];

export interface Mark {
  colour: string;
  shape: Shape;
}

/** The mark of what is not a model. */
export const NEUTRAL: Mark = { colour: 'var(--edge)', shape: 'circle' };

const COLOURS = 4;

/**
 * The mark of the model that is the `generation`th in this seat of the line-up. A successor has the colour of the model
 * before it and another shape.
 */
export function markAt(seat: number, generation = 0): Mark {
  const shape = SHAPES[(seat + generation + Math.floor(seat / COLOURS)) % SHAPES.length] ?? 'circle';
  return { colour: `var(--model-${(seat % COLOURS) + 1})`, shape };
}

/**
 * The mark of each of these models by its id, from the seats of the catalogue. Those that it does not have come after
 * its seats, by their ids, so that a mark stays when a ranking changes.
 */
export function marksOf(ids: readonly string[], catalogue: ModelsAnswer | null): Map<string, Mark> {
  const models = catalogue?.models ?? [];
  const seats = [...new Set(models.map(({ seat, model }) => seat ?? model))];
  const marks = new Map<string, Mark>();
  seats.forEach((seat, place) => {
    const holders = models.filter((each) => (each.seat ?? each.model) === seat);
    holders.forEach(({ model }, generation) => {
      marks.set(model, markAt(place, generation));
    });
  });
  const unknown = ids.filter((id) => !marks.has(id)).sort();
  unknown.forEach((id, place) => {
    marks.set(id, markAt(seats.length + place));
  });
  return marks;
}
