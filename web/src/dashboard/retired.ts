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

/** "retired on 30 November 2026, Claude Sonnet 5.5 followed". */
export function farewell({ leftOn, successor }: ModelStats, models: readonly ModelStats[]): string {
  const follower = models.find(({ model }) => model === successor);
  return `retired on ${day(leftOn ?? '')}${follower ? `, ${follower.source} followed` : ''}`;
}

/** A sentence that explains the sign; empty when nobody has retired. */
export function legend(models: readonly ModelStats[]): string {
  if (!models.some(isRetired)) return '';
  return '† These models have retired: they are not ranked any more, and votes on their sayings still count for them.';
}
