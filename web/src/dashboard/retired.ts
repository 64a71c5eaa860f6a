/** Models that take part no more: they keep their figures, outside the ranking, and their names say so. */

import type { ModelStats, StatsAnswer } from '../api/types';
import { day } from '../shared/words';

/** The same statistics, in which the names of retired models say that they have retired. */
export function withRetiredNamed(stats: StatsAnswer): StatsAnswer {
  const models = stats.models.map((model) => (isRetired(model) ? { ...model, source: `${model.source} †` } : model));
  return { ...stats, models };
}

export function isRetired({ leftOn }: ModelStats): boolean {
  return leftOn !== null;
}

/** The models that take part, which are those that are ranked. */
export function ranking(models: readonly ModelStats[]): ModelStats[] {
  return models.filter((model) => !isRetired(model));
}

/** "retired 30 November 2026". */
export function farewell({ leftOn }: ModelStats): string {
  return `retired ${day(leftOn ?? '')}`;
}

/** Who has retired and who followed, which explains the sign; empty when nobody has retired. */
export function legend(models: readonly ModelStats[]): string {
  const sentences = models.filter(isRetired).map(({ source, leftOn, successor }) => {
    const follower = models.find(({ model }) => model === successor);
    return `${source} retired on ${day(leftOn ?? '')}${follower ? `, and ${follower.source} followed` : ''}.`;
  });
  if (!sentences.length) return '';
  return [...sentences, 'Retired models are not ranked any more; votes on their sayings still count for them.'].join(
    ' ',
  );
}
