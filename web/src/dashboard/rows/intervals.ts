/** The rows of a plot of estimates: a value with its interval, and the text on either side. */

import type { Mark } from '../marks';

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
  /** The value with the bursts included, where that differs. */
  raw: number | null;
}

export interface Axis {
  type: 'linear' | 'log';
  domain: [number, number];
  label: string;
  format: (value: number) => string;
  /** A value that gets a line of its own. */
  reference?: number;
  /** Where the bars start. */
  from?: number;
  ticks?: readonly number[];
}

export type Bounds = Pick<IntervalRow, 'value' | 'low' | 'high' | 'raw'>;

/** Sorts by value, the highest first, or the lowest with `ascending`. Rows without a value come last. */
export function ranked<Row extends { value: number | null }>(rows: readonly Row[], ascending = false): Row[] {
  const place = (row: Row) => (row.value === null ? Infinity : ascending ? row.value : -row.value);
  return rows.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

/** The lowest and the highest end of all intervals that have a value. */
export function extent(rows: readonly Bounds[]): [number, number] | null {
  const measured = rows.filter((row) => row.value !== null);
  const ends = measured.flatMap((row) => [row.low, row.value, row.high, row.raw]).filter((end) => end !== null);
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

/** The domain of amounts: from 0 to a little more than the largest end, unless that would squeeze the values. */
export function amountDomain(rows: readonly Bounds[]): [number, number] {
  const largest = Math.max(0, ...rows.map((row) => row.value ?? 0));
  const end = Math.min(extent(rows)?.[1] ?? 0, 2.5 * largest);
  return [0, end > 0 ? end * 1.08 : 1];
}

/** About `wanted` ticks: the axis's own, or round values in steps of 1, 2 or 5. */
export function scaleTicks({ ticks, domain: [low, high] }: Axis, wanted: number): number[] {
  if (ticks) return ticks.filter((tick) => tick >= low && tick <= high);
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
