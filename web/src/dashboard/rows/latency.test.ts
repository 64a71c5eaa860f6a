import { expect, test } from 'vitest';
import { empty, model, NO_CALLS } from '../fixtures';
import { bins, callText, latency, latencyDomain, percentiles, percentileText, timeTicks } from './latency';

/** The server's buckets: 16 to an octave. */
function bucket(index: number, count: number) {
  return { low: 2 ** ((index - 1) / 16), high: 2 ** (index / 16), count };
}

test('each bin holds four whole buckets of the server', () => {
  const found = bins([161, 162, 163, 164, 165].map((index) => bucket(index, 2)));

  expect(found.map((bin) => [Math.round(bin.low), Math.round(bin.high), bin.share])).toEqual([
    [1024, 1218, 0.8],
    [1218, 1448, 0.2],
  ]);
});

test('a bin holds four buckets at any latency', () => {
  const quarters = Array.from({ length: 300 }, (_, index) => 4 * index + 1);
  const sizes = quarters.map((first) => bins([0, 1, 2, 3].map((more) => bucket(first + more, 1))).length);

  expect(new Set(sizes)).toEqual(new Set([1]));
});

test('the shares add up to 1', () => {
  const found = bins(Array.from({ length: 64 }, (_, index) => bucket(150 + index, index + 1)));

  expect(found).toHaveLength(17);
  expect(found.reduce((sum, bin) => sum + bin.share, 0)).toBeCloseTo(1);
});

test.each([
  [1, []],
  [9, ['p50']],
  [99, ['p50', 'p90']],
  [100, ['p50', 'p90', 'p99']],
])('%i calls have the percentiles %j', (asked, names) => {
  const found = percentiles({ ...NO_CALLS, asked, p50: 900, p90: 1400, p99: 2600 });

  expect(found.map((one) => one.name)).toEqual(names);
});

test('a percentile that falls among failures is left out', () => {
  const found = percentiles({ ...NO_CALLS, asked: 200, p50: 900, p90: 1400, p99: null });

  expect(found.map((one) => one.name)).toEqual(['p50', 'p90']);
});

test('the fastest comes first, a model without answers last', () => {
  const called = (p50: number) => ({
    asked: 10,
    answered: 9,
    p50,
    p90: 2 * p50,
    p99: null,
    histogram: [bucket(160, 9)],
  });
  const stats = empty({
    models: [
      model(0),
      model(1, { latency: { single: called(1700), round: NO_CALLS } }),
      model(2, { latency: { single: called(900), round: called(3000) } }),
    ],
  });

  const single = latency(stats, 'recent', 'single');
  expect(single.rows.map((row) => row.name)).toEqual(['GPT-4.1', 'Claude Sonnet 4.5', 'Claude Haiku 4.5']);
  expect(single.rows.map(percentileText)[0]?.replaceAll('\u00a0', ' ')).toBe('p50 900 ms · p90 1.8 s');
  expect(single.rows.map((row) => callText(row))).toEqual([
    '9 of 10 calls answered',
    '9 of 10 calls answered',
    'no calls',
  ]);
  expect(single.rows.map((row) => callText(row, true))).toEqual(['9 of 10', '9 of 10', 'no calls']);
  expect(latency(stats, 'recent', 'round').rows.filter((row) => row.answered)).toHaveLength(1);
  expect(latency(empty(), 'recent', 'round').known).toBe(false);
});

test('no calls have a scale too', () => {
  expect(latencyDomain([])).toEqual({ x: [100, 10_000], share: 1 });
  expect(timeTicks([100, 10_000])).toEqual([200, 500, 1000, 2000, 5000]);
});
