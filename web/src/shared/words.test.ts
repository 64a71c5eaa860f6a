import { expect, it } from 'vitest';
import { count, dollars, duration, inSeconds, list, secondsUntil } from './words';

it.each([
  [0, 'under 0.1 ms'],
  [0.41, '0.4 ms'],
  [9.95, '10 ms'],
  [999.4, '999 ms'],
  [999.5, '1.0 s'],
  [1204.2, '1.2 s'],
  [59_949, '59.9 s'],
  [59_950, '1 min 0 s'],
  [125_000, '2 min 5 s'],
])('%d ms is %s', (ms, words) => {
  expect(duration(ms).replaceAll('\u00a0', ' ')).toBe(words);
});

it.each([
  [0, '$0'],
  [0.0001544, '$0.00015'],
  [0.0132, '$0.013'],
  [0.5, '$0.50'],
  [12.5, '$12.50'],
  [-0.002, '−$0.0020'],
  [null, 'not known'],
])('%j dollars are %s', (amount, words) => {
  expect(dollars(amount)).toBe(words);
});

it.each([
  [0, '0 votes'],
  [1, '1 vote'],
  [1204, '1,204 votes'],
])('counts %d', (number, words) => {
  expect(count(number, 'vote')).toBe(words);
});

it.each([
  [[], ''],
  [['a'], 'a'],
  [['a', 'b'], 'a and b'],
  [['a', 'b', 'c'], 'a, b and c'],
])('lists %j', (parts, words) => {
  expect(list(parts)).toBe(words);
});

it.each([
  [1_000, 0],
  [1_001, 1],
  [31_000, 30],
  [0, 0],
])('until %d it is %d s', (at, seconds) => {
  expect(secondsUntil(at, 1_000)).toBe(seconds);
});

it.each([
  [1, 'in 1 second'],
  [119, 'in 119 seconds'],
  [121, 'in 3 minutes'],
])('%d s is %s', (seconds, words) => {
  expect(inSeconds(seconds)).toBe(words);
});
