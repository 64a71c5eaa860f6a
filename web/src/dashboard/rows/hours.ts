/** Votes and serves in each hour of the last day. */

import type { HourStats, StatsAnswer } from '../../api/types';
import { count } from '../../shared/words';
import { hourOfDay } from '../figures';
import { type Column, type Sheet, sheet } from '../sheet';

export type Counted = 'votes' | 'serves';

export interface HourBar {
  start: Date;
  end: Date;
  count: number;
  /** Whether the hour is not over yet, so that its count is not final. */
  soFar: boolean;
  title: string;
}

const HOUR_MS = 3_600_000;
const NOUNS: Record<Counted, string> = { votes: 'vote', serves: 'saying' };

export function hourBars(stats: StatsAnswer, counted: Counted): HourBar[] {
  const now = Date.parse(stats.generatedAt);
  return stats.hours.map((hour) => {
    const start = new Date(hour.hour);
    const end = new Date(start.getTime() + HOUR_MS);
    const soFar = end.getTime() > now;
    const title = `${hourOfDay(hour.hour)}: ${count(hour[counted], NOUNS[counted])}${soFar ? ' so far' : ''}`;
    return { start, end, count: hour[counted], soFar, title };
  });
}

export function total(bars: readonly HourBar[]): number {
  return bars.reduce((sum, bar) => sum + bar.count, 0);
}

/** The hour with the highest count; null when all are 0. */
export function peak(bars: readonly HourBar[]): HourBar | null {
  const busiest = bars.reduce<HourBar | null>((best, bar) => (bar.count > (best?.count ?? 0) ? bar : best), null);
  return busiest;
}

const HOUR: Column<HourStats> = {
  key: 'hour',
  name: 'Hour',
  value: (hour) => hour.hour,
  text: (hour) => hourOfDay(hour.hour),
};
const VOTES: Column<HourStats> = { key: 'votes', name: 'Votes', value: (hour) => hour.votes };
const SERVES: Column<HourStats> = { key: 'serves', name: 'Sayings shown', value: (hour) => hour.serves };

export function hoursSheet(stats: StatsAnswer, counted: Counted): Sheet {
  return counted === 'votes'
    ? sheet('votes-by-hour', 'Votes in the last 24 hours, by the hour', [HOUR, VOTES], stats.hours)
    : sheet('sayings-by-hour', 'Sayings shown in the last 24 hours, by the hour', [HOUR, SERVES], stats.hours);
}
