/** The row of a plot of estimates: a value in its interval, with what is said about it on either side. */

import type { Mark } from '../marks';

export interface IntervalRow {
  name: string;
  remark: string;
  /** The same where there is less room. */
  brief?: string;
  mark: Mark;
  /** Null where there is too little to tell; `low` and `high` may be known even so. */
  value: number | null;
  low: number | null;
  high: number | null;
  /** The value and its interval for people, or why there is none. */
  text: string;
  range: string;
  /** The same before bursts were set aside, where that is another. */
  raw: number | null;
}

export interface Axis {
  type: 'linear' | 'log';
  domain: [number, number];
  label: string;
  format: (value: number) => string;
  /** A value worth a line of its own. */
  reference?: number;
  /** Draw bars from here. */
  from?: number;
  ticks?: readonly number[];
}

export type Bounds = Pick<IntervalRow, 'value' | 'low' | 'high' | 'raw'>;

/** The highest first, or with `ascending` the lowest; who has no value comes last, in the order given. */
export function ranked<Row extends { value: number | null }>(rows: readonly Row[], ascending = false): Row[] {
  const place = (row: Row) => (row.value === null ? Infinity : ascending ? row.value : -row.value);
  return rows.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

/** What the plot has to show: the ends of the intervals that have a value. */
export function extent(rows: readonly Bounds[]): [number, number] | null {
  const measured = rows.filter((row) => row.value !== null);
  const ends = measured.flatMap((row) => [row.low, row.value, row.high, row.raw]).filter((end) => end !== null);
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : null;
}

/** Of shares: a little more than the intervals, in steps of 5 %; all from 0 to 1 where there is nothing to compare. */
export function shareDomain(rows: readonly Bounds[]): [number, number] {
  const found = extent(rows);
  if (!found || rows.filter((row) => row.value !== null).length < 2) return [0, 1];
  const low = Math.floor((found[0] - 0.01) * 20) / 20;
  const high = Math.ceil((found[1] + 0.01) * 20) / 20;
  return [Math.max(0, low), Math.min(1, high)];
}

/** Of amounts: from 0 to a little more than the largest end, but no end that is far off squeezes all the values. */
export function amountDomain(rows: readonly Bounds[]): [number, number] {
  const largest = Math.max(0, ...rows.map((row) => row.value ?? 0));
  const end = Math.min(extent(rows)?.[1] ?? 0, 2.5 * largest);
  return [0, end > 0 ? end * 1.08 : 1];
}

/** Round values on the axis, about so many: those it names itself, or steps of 1, 2 or 5. */
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
