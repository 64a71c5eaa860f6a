/** Votes and approval by service, over the sayings of all models. */

import type { ServiceStats, StatsAnswer } from '../../api/types';
import { count } from '../../shared/words';
import { decimals, percent } from '../figures';
import { NEUTRAL } from '../marks';
import { type Column, type Sheet, sheet } from '../sheet';
import { estimateRow } from './approval';
import { type Axis, type IntervalRow, ranked, shareDomain } from './intervals';

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
  const measured = stats.services.filter((service) => service.approval.value !== null);
  const most = measured.toSorted((a, b) => b.votes - a.votes).slice(0, SHOWN);
  const digits = Math.max(0, ...most.map((service) => decimals(service.approval)));
  const rows = ranked(most.map((service) => row(service, digits)));
  return {
    rows,
    axis: { type: 'linear', domain: shareDomain(rows), label: 'share of upvotes →', format: percent },
    measured: measured.length,
    all: stats.services.length,
    sheet: sheet('services', 'Votes and approval by service', COLUMNS, stats.services),
  };
}

function row({ service, votes, approval }: ServiceStats, digits: number): IntervalRow {
  return {
    ...estimateRow(approval, votes, digits),
    name: service,
    remark: count(votes, 'vote'),
    mark: NEUTRAL,
    raw: null,
  };
}

const COLUMNS: readonly Column<ServiceStats>[] = [
  { key: 'service', name: 'Service', value: (one) => one.service },
  { key: 'votes', name: 'Votes', value: (one) => one.votes },
  share('approval', 'Approval', 'value'),
  share('approval_low', '95 % from', 'low'),
  share('approval_high', 'to', 'high'),
];

function share(key: string, name: string, part: 'value' | 'low' | 'high'): Column<ServiceStats> {
  return { key, name, value: (one) => one.approval[part], text: (one) => percent(one.approval[part] ?? 0, 1) };
}
