import { expect, test } from 'vitest';
import { empty, full } from '../fixtures';
import { atEqualLength } from './length';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');
const share = (value: number) => ({ value, low: value - 0.05, high: value + 0.05 });
const ANALYSIS = {
  generatedAt: '2026-11-28T12:00:00Z',
  simulated: true,
  ballots: 8120,
  voters: 900,
  comparisons: 2400,
  models: [
    { model: 'claude-sonnet-4-5', picked: share(0.36), adjusted: share(0.3) },
    { model: 'gpt-4.1', picked: share(0.2), adjusted: share(0.34) },
    { model: 'long-gone', picked: share(0.44), adjusted: { value: null, low: 0, high: 1 } },
  ],
  length: { value: 1.73, low: 1.55, high: 1.94 },
  lengthDeviation: 31.2,
  arrival: { value: 0.94, low: 0.88, high: 1.01 },
  slots: {},
};

test('models are in the order of their shares at equal length, beside what they are as they are', () => {
  const equal = atEqualLength({ ...full(), analysis: ANALYSIS });

  expect(equal?.rows.map((row) => [row.name, plain(row.text), plain(row.remark)])).toEqual([
    ['GPT-4.1', '34 %', '20 % (15–25 %) as it is'],
    ['Claude Sonnet 4.5', '30 %', '36 % (31–41 %) as it is'],
    ['long-gone', 'too few picks', '44 % (39–49 %) as it is'],
  ]);
});

test('the factor of length is told with its interval', () => {
  expect(atEqualLength({ ...full(), analysis: ANALYSIS })?.lede).toBe(
    'From 8,120 comparisons of all time, analysed on 28 Nov. If a saying is 31 characters longer, the odds that it is ' +
      'picked are 1.73 times as high (1.55–1.94).',
  );
});

test('without an analysis there is nothing to show', () => {
  expect(atEqualLength(empty())).toBeNull();
});
