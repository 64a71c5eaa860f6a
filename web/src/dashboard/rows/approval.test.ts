import { expect, test } from 'vitest';
import { empty, full, low, model, voted } from '../fixtures';
import { approval, verdict } from './approval';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('the best liked comes first, the collection always last', () => {
  const { rows, band } = approval(full());

  expect(rows.map((row) => row.name)).toEqual([
    'Claude Sonnet 4.5',
    'GPT-4.1',
    'Claude Haiku 4.5',
    'GPT-4.1-mini',
    'The collection',
  ]);
  expect(band).toEqual({ low: 0.717, high: 0.766, colour: 'var(--model-2)' });
});

test('the approval with bursts is shown beside', () => {
  const { rows, bursts, sheet } = approval(full());
  const gpt = rows.find((row) => row.name === 'GPT-4.1');

  expect(gpt?.raw).toBeCloseTo(934 / 1325);
  expect(rows.filter((row) => row.raw !== null)).toEqual([gpt]);
  expect(sheet.rows.map((row) => row[0]?.value)).toContain('The collection');
  expect(bursts).toMatch(/^100 of 4,895 votes were set aside .+ more than 60 in an hour from one address/);
  expect(sheet.keys).toContain('raw_approval');
});

test('too few votes show no percentage', () => {
  const { rows, band, axis, sheet } = approval(low());
  const shown = Object.fromEntries(rows.map((row) => [row.name, [plain(row.text), row.remark]]));

  expect(shown).toEqual({
    'Claude Sonnet 4.5': ['74 %', 'waits for the others'],
    'Claude Haiku 4.5': ['too few votes', '61 votes, 59 more needed'],
    'GPT-4.1': ['too few votes', '42 votes, 78 more needed'],
    'GPT-4.1-mini': ['no votes', '0 votes, 120 more needed'],
  });
  expect(band).toBeNull();
  expect(axis.domain).toEqual([0, 1]);
  expect(sheet.rows[3]?.map((cell) => cell.text).slice(0, 4)).toEqual(['GPT-4.1-mini', '–', '–', '–']);
});

test('without votes the rows have no value', () => {
  const { rows, bursts } = approval(empty());

  expect(rows).toHaveLength(4);
  expect(rows.every((row) => row.value === null && row.low === null && row.text === 'no votes')).toBe(true);
  expect(bursts).toBe('');
});

test.each([
  [
    voted(0, 500, [0.6, 0.5, 0.7], { verdict: 'too close to call', votesNeeded: 344 }),
    'too close to call: ~340 more votes',
  ],
  [voted(0, 500, [0.6, 0.5, 0.7], { verdict: 'too close to call', votesNeeded: null }), 'too close to call'],
  [voted(0, 500, [0.6, 0.5, 0.7], { verdict: 'leads' }), 'leads'],
  [model(0), '0 votes, 120 more needed'],
])('a verdict says what would settle it (%#)', (one, said) => {
  expect(verdict(one)).toBe(said);
});
