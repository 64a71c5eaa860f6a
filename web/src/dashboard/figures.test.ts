import { expect, test } from 'vitest';
import { about, clock, estimate, percentRange, points, pointsRange } from './figures';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test.each([
  [{ low: 0.71, high: 0.77 }, '71–77 %'],
  [{ low: 0.7301, high: 0.7539 }, '73.0–75.4 %'],
  [{ low: 0.7412, high: 0.7429 }, '74.12–74.29 %'],
  [{ low: null, high: null }, ''],
])('the ends of an interval differ: %j', (range, said) => {
  expect(plain(percentRange(range))).toBe(said);
});

test('an estimate comes with its interval', () => {
  expect(plain(estimate(0.742, { low: 0.71, high: 0.77 }))).toBe('74 % (71–77 %)');
});

test.each([
  [3, '3'],
  [59, '59'],
  [344, '340'],
  [10_444, '10,000'],
  [99_500, '100,000'],
])('about %i is %s', (number, said) => {
  expect(about(number)).toBe(said);
});

test('a difference of shares is in points', () => {
  expect([0.041, -0.0123, 0.0004].map((value) => plain(points(value, 1)))).toEqual([
    '+4.1 points',
    '−1.2 points',
    '0.0 points',
  ]);
  expect(plain(points(-0.01))).toBe('−1 point');
  expect(pointsRange({ low: -0.01, high: 0.072 })).toBe('−1 to +7');
});

test('a moment on another day has the day', () => {
  const now = new Date(2026, 10, 20, 15, 0);

  expect(clock(new Date(2026, 10, 20, 14, 32).toISOString(), now)).toBe('14:32');
  expect(clock(new Date(2026, 10, 19, 23, 5).toISOString(), now)).toBe('23:05 on 19 November');
});
