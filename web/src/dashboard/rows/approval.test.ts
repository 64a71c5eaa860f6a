import { expect, test } from 'vitest';
import { empty, full, low, model, voted } from '../fixtures';
import { approval, verdict } from './approval';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('the best liked comes first, the collection always last', () => {
  const { rows, sheet } = approval(full(), 'recent');

  expect(rows.map((row) => [row.name, row.remark])).toEqual([
    ['Claude Sonnet 4.5', 'leads'],
    ['GPT-4.1', 'trails'],
    ['Claude Haiku 4.5', 'trails'],
    ['GPT-4.1-mini', 'trails'],
    ['The collection', 'written by people'],
  ]);
  expect(sheet.rows.at(-1)?.[0]?.value).toBe('The collection');
});

test('a verdict is of the last days only', () => {
  const { rows, sheet } = approval(full(), 'allTime');

  expect(rows[0]?.remark).toBe('298 voters, 149 sayings');
  expect([sheet.file, sheet.caption]).toEqual(['approval-all-time', 'Approval by model of all time']);
});

test('says which votes are not counted, if there are any', () => {
  expect(approval(full(), 'recent').others).toBe(
    'Not counted here are votes in the last 30 days: 2,350 under the author’s name, 112 set aside. The collection’s ' +
      'share is of all time, with and without its name.',
  );
  expect(approval(empty(), 'recent').others).toBe('');
});

test('too few votes show no percentage', () => {
  const { rows, axis, sheet } = approval(low(), 'recent');
  const shown = Object.fromEntries(rows.map((row) => [row.name, [plain(row.text), row.remark]]));

  expect(shown).toEqual({
    'Claude Sonnet 4.5': ['74 %', 'waits for the others'],
    'Claude Haiku 4.5': ['too few votes', '61 votes, 59 more needed'],
    'GPT-4.1': ['too few votes', '21 voters, 16 sayings'],
    'GPT-4.1-mini': ['no votes', '0 votes, 120 more needed'],
  });
  expect(axis.domain).toEqual([0, 1]);
  expect(sheet.rows.slice(1).map((row) => row.map((cell) => cell.text).slice(0, 3))).toEqual([
    ['Claude Haiku 4.5', 'too few votes', '–'],
    ['GPT-4.1', 'too few votes', '–'],
    ['GPT-4.1-mini', 'no votes', '–'],
  ]);
});

const SHARE = [0.6, 0.5, 0.7] as [number, number, number];

test.each([
  [voted(0, 500, SHARE, { verdict: 'too close to call', votesNeeded: 344 }), 'too close to call: ~340 more votes'],
  [voted(0, 500, SHARE, { verdict: 'too close to call', votesNeeded: null }), 'too close to call'],
  [voted(0, 500, SHARE, { verdict: 'within 3 points', votesNeeded: 0 }), 'no more than 3 points apart'],
  [voted(0, 500, SHARE, { verdict: 'leads' }), 'leads'],
  [model(0), '0 votes, 120 more needed'],
])('a verdict says what would settle it (%#)', (one, said) => {
  expect(verdict(one)).toBe(said);
});
