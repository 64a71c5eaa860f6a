/** The latencies of the calls: distributions and percentiles by model, for single sayings and for rounds. */

import type { Latency, LatencyBucket, ModelStats, StatsAnswer } from '../../api/types';
import { duration } from '../../shared/words';
import { type Mark, marksOf, NEUTRAL } from '../marks';
import { type Column, type Sheet, sheet } from '../sheet';

export type CallShape = keyof ModelStats['latency'];

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
  calls: number;
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
export function latency(stats: StatsAnswer, shape: CallShape): LatencyPlot {
  const marks = marksOf(stats);
  const models = stats.models.toSorted(
    (a, b) => (a.latency[shape].p50 ?? Infinity) - (b.latency[shape].p50 ?? Infinity),
  );
  const rows = models.map((model) => row(model, shape, marks.get(model.model) ?? NEUTRAL));
  return { rows, known: rows.some((one) => one.calls > 0), sheet: latencySheet(stats, shape) };
}

function row(model: ModelStats, shape: CallShape, mark: Mark): LatencyRow {
  const latency = model.latency[shape];
  return {
    name: model.source,
    mark,
    calls: latency.count,
    bins: bins(latency.histogram),
    percentiles: percentiles(latency),
  };
}

export function percentiles(latency: Latency): Percentile[] {
  return (['p50', 'p90', 'p99'] as const).flatMap((name) => {
    const at = latency[name];
    return at === null || latency.count < NEEDED[name] ? [] : [{ name, at }];
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

function latencySheet(stats: StatsAnswer, shape: CallShape): Sheet {
  const what = shape === 'single' ? 'calls for one saying' : 'calls for a round of sayings';
  return sheet(`latency-${shape}`, `Latency of ${what}, by model`, columns(shape), stats.models);
}

function columns(shape: CallShape): Column<ModelStats>[] {
  const of = (key: string, name: string, value: (latency: Latency) => number | null): Column<ModelStats> => ({
    key,
    name,
    value: (model) => value(model.latency[shape]),
    text: (model) => duration(value(model.latency[shape]) ?? 0),
  });
  const at = (name: Percentile['name']) => (latency: Latency) =>
    percentiles(latency).find((percentile) => percentile.name === name)?.at ?? null;
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    { key: 'calls', name: 'Calls', value: (model) => model.latency[shape].count },
    of('mean_ms', 'Mean', (latency) => latency.mean),
    of('p50_ms', 'p50', at('p50')),
    of('p90_ms', 'p90', at('p90')),
    of('p99_ms', 'p99', at('p99')),
  ];
}
