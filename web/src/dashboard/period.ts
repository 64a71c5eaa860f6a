/** The two periods that the statistics cover, of which the visitor looks at one. */

import type { StatsAnswer } from '../api/types';
import { type Column, type Sheet, sheet } from './sheet';

/** As the statistics call them. */
export const PERIODS = ['recent', 'allTime'] as const;
export type Period = (typeof PERIODS)[number];

/** "Last 30 days", "All time". */
export function periodName({ recentDays }: StatsAnswer, period: Period): string {
  return period === 'recent' ? `Last ${recentDays} days` : 'All time';
}

/** "in the last 30 days", "of all time": for use in a sentence. */
export function during({ recentDays }: StatsAnswer, period: Period): string {
  return period === 'recent' ? `in the last ${recentDays} days` : 'of all time';
}

/** A sheet of one period, which its file's name and its caption tell. */
export function periodSheet<Row>(
  stats: StatsAnswer,
  period: Period,
  file: string,
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Sheet {
  const which = period === 'recent' ? 'recent' : 'all-time';
  return sheet(`${file}-${which}`, `${caption} ${during(stats, period)}`, columns, rows);
}
