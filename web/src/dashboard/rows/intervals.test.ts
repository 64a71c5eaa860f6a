import { expect, test } from 'vitest';
import { amountDomain, differenceDomain, estimateRow, ranked, scaleTicks, shareDomain } from './intervals';

const row = (value: number | null, low: number | null, high: number | null) => ({ value, low, high });

test('the best comes first, rows without a value last', () => {
  const rows = [row(null, 0, 1), row(0.2, 0, 1), row(0.7, 0, 1), row(null, 0.1, 1)];

  expect(ranked(rows).map((one) => one.value)).toEqual([0.7, 0.2, null, null]);
  expect(ranked(rows, true).map((one) => one.value)).toEqual([0.2, 0.7, null, null]);
  expect(ranked(rows).at(-1)?.low).toBe(0.1);
});

test('the domain of shares holds all intervals', () => {
  expect(shareDomain([row(0.74, 0.71, 0.77), row(0.6, 0.58, 0.62)])).toEqual([0.55, 0.8]);
});

test('the domain of differences holds zero', () => {
  expect(differenceDomain([row(0.12, 0.1, 0.14), row(null, null, null)])).toEqual([-0.05, 0.15000000000000002]);
  expect(differenceDomain([])).toEqual([-0.05, 0.05]);
});

test('an estimate says why there is none', () => {
  const words = ['no votes', 'too few votes'] as const;
  const text = (value: number | null, data: number) => estimateRow(row(value, 0.6, 0.8), data, words).text;

  expect([text(0.7, 900), text(null, 9), text(null, 0)]).toEqual(['70\u00a0%', 'too few votes', 'no votes']);
});

test('without shares the domain is 0 to 1', () => {
  expect(shareDomain([row(null, 0, 1), row(0.7, 0.6, 0.8)])).toEqual([0, 1]);
});

test('a far end does not squeeze the values', () => {
  const [from, to] = amountDomain([row(1, 0.5, 100), row(2, 1.5, 3)]);

  expect(from).toBe(0);
  expect(to).toBeCloseTo(5.4);
  expect(amountDomain([row(null, null, null)])).toEqual([0, 1]);
});

test('ticks are round', () => {
  expect(scaleTicks({ domain: [0.55, 0.8] }, 4)).toEqual([0.6, 0.7, 0.8]);
  expect(scaleTicks({ domain: [0, 0.0072] }, 4)).toEqual([0, 0.002, 0.004, 0.006]);
});
