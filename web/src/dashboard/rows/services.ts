/** Blind votes and approval by service, over the sayings of all models and of each. */

import type { ServiceStats, StatsAnswer } from '../../api/types';
import { NEUTRAL } from '../../shared/marks';
import { count } from '../../shared/words';
import { percent } from '../figures';
import { type Column, type Sheet, sheet } from '../sheet';
import { type Axis, type IntervalRow, ranked } from './intervals';

/** The plot shows no more services than this; the table lists all of them. */
export const SHOWN = 12;

export interface Services {
  /** The services with the most votes, with the highest approval first. */
  rows: IntervalRow[];
  axis: Axis;
  /** How many services have enough votes for an approval, and how many have any votes. */
  measured: number;
  all: number;
  sheet: Sheet;
}

export function services(stats: StatsAnswer): Services {
  const measured = stats.services.filter(({ approval }) => approval !== null);
  const most = measured.toSorted((a, b) => b.votes - a.votes).slice(0, SHOWN);
  return {
    rows: ranked(most.map(row)),
    axis: { domain: [0, 1], label: 'share of thumbs up →', format: percent, from: 0 },
    measured: measured.length,
    all: stats.services.length,
    sheet: sheet('services', 'Blind votes and approval by service and model', columns(stats), stats.services),
  };
}

/** It has no interval, because it rests on few sayings. */
function row({ service, votes, approval }: ServiceStats): IntervalRow {
  const text = percent(approval ?? 0);
  const remark = count(votes, 'vote');
  return { name: service, remark, mark: NEUTRAL, value: approval, low: null, high: null, text, range: '' };
}

function columns({ models }: StatsAnswer): Column<ServiceStats>[] {
  return [
    { key: 'service', name: 'Service', value: (one) => one.service },
    { key: 'votes', name: 'Blind votes', value: (one) => one.votes },
    {
      key: 'approval',
      name: 'Approval',
      value: (one) => one.approval,
      text: (one) => percent(one.approval ?? 0, 1),
      none: () => 'too few votes',
    },
    ...models.flatMap(({ model, source }) => columnsOf(model, source)),
  ];
}

/** A model's approval on each service, and in the CSV its votes as well. */
function columnsOf(model: string, name: string): Column<ServiceStats>[] {
  const on = ({ models }: ServiceStats) => models.find((each) => each.model === model);
  return [
    {
      key: `approval_${model}`,
      name,
      value: (one) => on(one)?.approval ?? null,
      text: (one) => percent(on(one)?.approval ?? 0),
      none: (one) => count(on(one)?.votes ?? 0, 'vote'),
    },
    { key: `votes_${model}`, name: null, value: (one) => on(one)?.votes ?? 0 },
  ];
}
