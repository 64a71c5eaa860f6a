/** The figures of all models in one table: liked, picked, answered, fast, cheap. */

import type { Interval, ModelStats, StatsAnswer } from '../../api/types';
import { dollars, duration } from '../../shared/words';
import { decimals, percent, percentRange } from '../figures';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';
import { NO_VOTES } from './approval';
import { noCost } from './cost';
import { percentiles } from './latency';
import { NO_PICKS } from './picked';

export function overview(stats: StatsAnswer, period: Period): Sheet {
  return periodSheet(stats, period, 'overview', 'All models', columns(period), stats.models);
}

function columns(period: Period): Column<ModelStats>[] {
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    ...share(
      'approval',
      'Approval, blind',
      (model) => model[period].approval,
      (model) => {
        return NO_VOTES[model[period].votes.votes ? 1 : 0];
      },
    ),
    ...share(
      'picked',
      'Picked as the best',
      (model) => model[period].picked,
      (model) => {
        return NO_PICKS[model[period].ballots ? 1 : 0];
      },
    ),
    ...share(
      'answered',
      'Answered',
      (model) => model[period].answered.share,
      (model) => {
        return model[period].answered.asked ? 'too few calls' : 'no calls';
      },
    ),
    {
      key: 'p50_ms',
      name: 'Time (p50)',
      value: (model) => half(model, period),
      text: (model) => duration(half(model, period) ?? 0),
      none: (model) => (model[period].latency.single.asked ? 'too few answers' : 'no calls'),
    },
    {
      key: 'cost_per_1000',
      name: '$ per 1,000 sayings',
      value: (model) => model[period].cost.per1000,
      text: (model) => dollars(model[period].cost.per1000),
      none: (model) => noCost(model[period]),
    },
    end('cost_per_net_upvote', (model) => model[period].cost.perNetUpvote.value),
    end('cost_per_net_upvote_low', (model) => model[period].cost.perNetUpvote.low),
    end('cost_per_net_upvote_high', (model) => model[period].cost.perNetUpvote.high),
    { key: 'voters', name: null, value: (model) => model.voters },
    { key: 'sayings', name: null, value: (model) => model.sayings },
  ];
}

/** A share with its interval, in one column on the page and in three of the CSV. */
function share(
  key: string,
  name: string,
  of: (model: ModelStats) => Interval,
  none: (model: ModelStats) => string,
): Column<ModelStats>[] {
  return [
    { key, name, value: (model) => of(model).value, text: (model) => shareText(of(model)), none },
    end(`${key}_low`, (model) => of(model).low),
    end(`${key}_high`, (model) => of(model).high),
  ];
}

function end(key: string, value: (model: ModelStats) => number | null): Column<ModelStats> {
  return { key, name: null, value };
}

/** A visitor waits for a single saying, so that its time is the one that matters. */
function half(model: ModelStats, period: Period): number | null {
  return percentiles(model[period].latency.single).find(({ name }) => name === 'p50')?.at ?? null;
}

// The interval is on a line of its own, because a wide table is hard to read on a small screen.
function shareText(share: Interval): string {
  return `${percent(share.value ?? 0, decimals(share))}\n${percentRange(share)}`;
}
