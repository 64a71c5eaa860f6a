import { expect, test } from 'vitest';
import { type Axis, amountDomain, ranked, scaleTicks, shareDomain } from './intervals';

const row = (value: number | null, low: number | null, high: number | null, raw: number | null = null) => ({
  value,
  low,
  high,
  raw,
});

test('the best comes first, rows without a value last', () => {
  const rows = [row(null, 0, 1), row(0.2, 0, 1), row(0.7, 0, 1), row(null, 0.1, 1)];

  expect(ranked(rows).map((one) => one.value)).toEqual([0.7, 0.2, null, null]);
  expect(ranked(rows, true).map((one) => one.value)).toEqual([0.2, 0.7, null, null]);
  expect(ranked(rows).at(-1)?.low).toBe(0.1);
});

test('the domain of shares holds raw ones too', () => {
  expect(shareDomain([row(0.74, 0.71, 0.77), row(0.6, 0.58, 0.62)])).toEqual([0.55, 0.8]);
  expect(shareDomain([row(0.74, 0.71, 0.77, 0.9), row(0.6, 0.58, 0.62)])).toEqual([0.55, 0.95]);
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
  const axis = (domain: [number, number]): Axis => ({ type: 'linear', domain, label: '', format: String });

  expect(scaleTicks(axis([0.55, 0.8]), 4)).toEqual([0.6, 0.7, 0.8]);
  expect(scaleTicks(axis([0, 0.0072]), 4)).toEqual([0, 0.002, 0.004, 0.006]);
  expect(scaleTicks({ ...axis([0.7, 1.3]), ticks: [0.5, 1, 2] }, 4)).toEqual([1]);
});
