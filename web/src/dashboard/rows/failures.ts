/** Why calls of the models failed, and what our filter refused. */

import type { ModelStats, StatsAnswer } from '../../api/types';
import { decimals, percent, percentRange, whole } from '../figures';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';

export interface Failures {
  /** How many calls were made, and how many of them failed. */
  asked: number;
  failed: number;
  sheet: Sheet;
}

export function failures(stats: StatsAnswer, period: Period): Failures {
  const { models } = stats;
  const asked = sum(models, (model) => model[period].answered.asked);
  return {
    asked,
    failed: asked - sum(models, (model) => model[period].answered.answered),
    sheet: periodSheet(stats, period, 'failures', 'Failures by model', columns(models, period), models),
  };
}

/** A column for each reason that occurs, the most frequent first. */
function columns(models: readonly ModelStats[], period: Period): Column<ModelStats>[] {
  const count = (model: ModelStats, reason: string) => model[period].answered.failed[reason] ?? 0;
  const total = (reason: string) => sum(models, (model) => count(model, reason));
  const reasons = [...new Set(models.flatMap((model) => Object.keys(model[period].answered.failed)))];
  reasons.sort((a, b) => total(b) - total(a) || a.localeCompare(b));
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    { key: 'asked', name: 'Calls', value: (model) => model[period].answered.asked },
    {
      key: 'answered_share',
      name: 'Answered',
      value: (model) => model[period].answered.share.value,
      text: ({ [period]: { answered } }) => answeredText(answered.share),
      none: (model) => (model[period].answered.asked ? 'too few calls' : 'no calls'),
    },
    ...reasons.map((reason) => ({
      key: reason,
      name: NAMES[reason] ?? reason.replaceAll('_', ' '),
      value: (model: ModelStats) => count(model, reason),
    })),
    {
      key: 'refused',
      name: 'Refused by our filter',
      value: (model) => model[period].refused.count,
      text: ({ [period]: { refused } }) =>
        refused.share ? `${whole(refused.count)}\n${percent(refused.share, 1)}` : whole(refused.count),
    },
  ];
}

function answeredText(share: ModelStats['recent']['answered']['share']): string {
  return `${percent(share.value ?? 0, decimals(share))}\n${percentRange(share)}`;
}

const NAMES: Record<string, string> = {
  timeout: 'Too slow',
  rate_limited: 'Rate limit',
  bad_response: 'Unusable',
  connection_failed: 'Not reached',
};

function sum(models: readonly ModelStats[], of: (model: ModelStats) => number): number {
  return models.reduce((total, model) => total + of(model), 0);
}
