import type { StatsAnswer } from '../api/types';
import { type Mark, marksOf } from '../shared/marks';
import { catalogue } from '../shared/models';

/** The mark of each model by its id. The dashboard is drawn anew when the catalogue comes later. */
export function marksIn(stats: StatsAnswer): Map<string, Mark> {
  return marksOf(
    stats.models.map(({ model }) => model),
    catalogue.value,
  );
}
