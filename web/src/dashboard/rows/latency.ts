/** The latencies of the calls: distributions and percentiles by model, for single sayings and for rounds.
 *
 * Percentiles are of all calls. One that failed counts as infinitely late, so that failing is no way to be fast.
 */

import type { Figures, Latency, LatencyBucket, ModelStats, StatsAnswer } from '../../api/types';
import { type Mark, NEUTRAL } from '../../shared/marks';
import { count, duration } from '../../shared/words';
import { percent, whole } from '../figures';
import { marksIn } from '../marks';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';

export type CallShape = keyof Figures['latency'];

export interface Bin {
  low: number;
  high: number;
  /** The share of this model's calls. */
  share: number;
}

export interface Percentile {
  name: 'p50' | 'p90' | 'p99';
  at: number;
}

export interface LatencyRow {
  name: string;
  mark: Mark;
  asked: number;
  answered: number;
  bins: Bin[];
  percentiles: Percentile[];
}

export interface LatencyPlot {
  rows: LatencyRow[];
  known: boolean;
  sheet: Sheet;
}

// Narrower bins would show noise instead of the shape.
const BINS_PER_OCTAVE = 4;
// A percentile needs at least one call above it.
const NEEDED: Record<Percentile['name'], number> = { p50: 2, p90: 10, p99: 100 };

/** The fastest first. */
export function latency(stats: StatsAnswer, period: Period, shape: CallShape): LatencyPlot {
  const marks = marksIn(stats);
  const half = (model: ModelStats) => model[period].latency[shape].p50 ?? Infinity;
  const models = stats.models.toSorted((a, b) => (half(a) === half(b) ? 0 : half(a) - half(b)));
  const rows = models.map((model) =>
    row(model.source, model[period].latency[shape], marks.get(model.model) ?? NEUTRAL),
  );
  return { rows, known: rows.some((one) => one.answered > 0), sheet: latencySheet(stats, period, shape) };
}

function row(name: string, latency: Latency, mark: Mark): LatencyRow {
  const { asked, answered, histogram } = latency;
  return { name, mark, asked, answered, bins: bins(histogram), percentiles: percentiles(latency) };
}

export function percentiles(latency: Latency): Percentile[] {
  return (['p50', 'p90', 'p99'] as const).flatMap((name) => {
    const at = latency[name];
    return at === null || latency.asked < NEEDED[name] ? [] : [{ name, at }];
  });
}

/** Merges the server's buckets into four bins per doubling. */
export function bins(histogram: readonly LatencyBucket[]): Bin[] {
  const counts = new Map<number, number>();
  let total = 0;
  for (const bucket of histogram) {
    // The epsilon keeps a bucket in the bin that ends at the same latency.
    const bin = Math.ceil(Math.log2(bucket.high) * BINS_PER_OCTAVE - 1e-6);
    counts.set(bin, (counts.get(bin) ?? 0) + bucket.count);
    total += bucket.count;
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([bin, count]) => ({
      low: 2 ** ((bin - 1) / BINS_PER_OCTAVE),
      high: 2 ** (bin / BINS_PER_OCTAVE),
      share: count / total,
    }));
}

/** The domain in milliseconds and the highest share of all plots, so that they have the same scales. */
export function latencyDomain(plots: readonly LatencyPlot[]): { x: [number, number]; share: number } {
  const all = plots.flatMap((plot) => plot.rows.flatMap((one) => one.bins));
  if (!all.length) return { x: [100, 10_000], share: 1 };
  return {
    x: [Math.min(...all.map((bin) => bin.low)), Math.max(...all.map((bin) => bin.high))],
    share: Math.max(...all.map((bin) => bin.share)),
  };
}

/** Round times within the domain: 1, 2 and 5 times each power of ten. */
export function timeTicks([low, high]: [number, number]): number[] {
  const powers = Array.from({ length: 9 }, (_, power) => 10 ** (power - 1));
  return powers
    .flatMap((power) => [power, 2 * power, 5 * power])
    .filter((tick) => tick >= low * 1.1 && tick <= high / 1.1);
}

/** "500 ms", "2 s". */
export function timeTick(ms: number): string {
  return ms < 1000 ? `${ms}\u00a0ms` : `${ms / 1000}\u00a0s`;
}

/** "p50 0.9 s · p90 1.4 s". */
export function percentileText(row: LatencyRow): string {
  return row.percentiles.map(({ name, at }) => `${name} ${duration(at)}`).join(' · ');
}

/** "First model: 12 % of the answers took 0.8 s to 1.0 s". */
export function binText({ name }: LatencyRow, { low, high, share }: Bin): string {
  return `${name}: ${percent(share)} of the answers took ${duration(low)} to ${duration(high)}`;
}

/** "196 of 200 calls answered", in brief "196 of 200"; "no calls". */
export function callText({ asked, answered }: LatencyRow, brief = false): string {
  if (!asked) return 'no calls';
  if (brief) return `${whole(answered)} of ${whole(asked)}`;
  return answered === asked ? count(asked, 'call') : `${whole(answered)} of ${count(asked, 'call')} answered`;
}

function latencySheet(stats: StatsAnswer, period: Period, shape: CallShape): Sheet {
  const what = shape === 'single' ? 'calls for one saying' : 'calls for a round of sayings';
  const caption = `Latency of ${what}, by model`;
  return periodSheet(stats, period, `latency-${shape}`, caption, columns(period, shape), stats.models);
}

function columns(period: Period, shape: CallShape): Column<ModelStats>[] {
  const at = (key: string, name: Percentile['name']): Column<ModelStats> => {
    const value = (model: ModelStats) =>
      percentiles(model[period].latency[shape]).find((percentile) => percentile.name === name)?.at ?? null;
    return { key, name, value, text: (model) => duration(value(model) ?? 0) };
  };
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    { key: 'asked', name: 'Calls', value: (model) => model[period].latency[shape].asked },
    { key: 'answered', name: 'Answered', value: (model) => model[period].latency[shape].answered },
    at('p50_ms', 'p50'),
    at('p90_ms', 'p90'),
    at('p99_ms', 'p99'),
  ];
}
