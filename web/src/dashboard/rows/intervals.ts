/** The rows of a plot of estimates: a value with its interval, and the text on either side. */

import type { Interval } from '../../api/types';
import type { Mark } from '../../shared/marks';
import { decimals, percent, percentRange } from '../figures';

export interface IntervalRow {
  name: string;
  remark: string;
  /** A shorter remark for narrow screens. */
  brief?: string;
  mark: Mark;
  /** Null when the data are too few; `low` and `high` may be known all the same. */
  value: number | null;
  low: number | null;
  high: number | null;
  /** The value as text, or the reason why there is none. */
  text: string;
  range: string;
}

export interface Axis {
  domain: [number, number];
  label: string;
  format: (value: number) => string;
  /** A value that gets a line of its own. */
  reference?: number;
  /** Where the bars start. */
  from?: number;
}

export type Estimate = Omit<IntervalRow, 'name' | 'remark' | 'brief' | 'mark'>;

/** A share with its interval, or why there is none. Without any `data` there is no interval worth drawing either. */
export function estimateRow(
  { value, low, high }: Interval,
  data: number,
  [none, few]: readonly [string, string],
  digits = decimals({ low, high }),
): Estimate {
  if (!data) return { value: null, low: null, high: null, text: none, range: '' };
  if (value === null) return { value, low, high, text: few, range: '' };
  return { value, low, high, text: percent(value, digits), range: percentRange({ low, high }, digits) };
}

export type Bounds = Pick<IntervalRow, 'value' | 'low' | 'high'>;

/** Sorts by value, the highest first, or the lowest with `ascending`. Rows without a value come last. */
export function ranked<Row extends { value: number | null }>(rows: readonly Row[], ascending = false): Row[] {
  const place = (row: Row) => (row.value === null ? Infinity : ascending ? row.value : -row.value);
  return rows.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

/** The lowest and the highest end of all intervals that have a value. */
export function extent(rows: readonly Bounds[]): [number, number] | null {
  const measured = rows.filter((row) => row.value !== null);
  const ends = measured.flatMap((row) => [row.low, row.value, row.high]).filter((end) => end !== null);
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : null;
}

/** The domain of shares: a little more than the intervals, in steps of 5 %; from 0 to 1 when there are none. */
export function shareDomain(rows: readonly Bounds[]): [number, number] {
  const found = extent(rows);
  if (!found || rows.filter((row) => row.value !== null).length < 2) return [0, 1];
  const low = Math.floor((found[0] - 0.01) * 20) / 20;
  const high = Math.ceil((found[1] + 0.01) * 20) / 20;
  return [Math.max(0, low), Math.min(1, high)];
}

/** The domain of differences: all intervals and zero, and at least five points to either side. */
export function differenceDomain(rows: readonly Bounds[]): [number, number] {
  const [low, high] = extent(rows) ?? [0, 0];
  return [Math.min(low - 0.01, -0.05), Math.max(high + 0.01, 0.05)];
}

/** The domain of amounts: from 0 to a little more than the largest end, unless that would squeeze the values. */
export function amountDomain(rows: readonly Bounds[]): [number, number] {
  const largest = Math.max(0, ...rows.map((row) => row.value ?? 0));
  const end = Math.min(extent(rows)?.[1] ?? 0, 2.5 * largest);
  return [0, end > 0 ? end * 1.08 : 1];
}

/** About `wanted` round values, in steps of 1, 2 or 5. */
export function scaleTicks({ domain: [low, high] }: Pick<Axis, 'domain'>, wanted: number): number[] {
  const step = niceStep((high - low) / wanted);
  const first = Math.ceil(low / step - 1e-6);
  const last = Math.floor(high / step + 1e-6);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function niceStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  const factor = [1, 2, 5, 10].find((one) => one * power >= atLeast * 0.999) ?? 10;
  return factor * power;
}
