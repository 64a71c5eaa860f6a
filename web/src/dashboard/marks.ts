import type { StatsAnswer } from '../api/types';
import { type Mark, marksOf, NEUTRAL } from '../shared/marks';
import { catalogue } from '../shared/models';

/** The mark of each model by its id. The dashboard is drawn anew when the catalogue comes later. */
export function marksIn(stats: StatsAnswer): Map<string, Mark> {
  return marksOf(
    stats.models.map(({ model }) => model),
    catalogue.value,
  );
}

/** The marks of a table that has a row for each model. */
export function marksOfRows(stats: StatsAnswer): Mark[] {
  const marks = marksIn(stats);
  return stats.models.map(({ model }) => marks.get(model) ?? NEUTRAL);
}
