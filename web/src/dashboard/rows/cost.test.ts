import { describe, expect, test } from 'vitest';
import type { Figures } from '../../api/types';
import { empty, full, model, NOTHING, voted } from '../fixtures';
import { costPer1000, costPerNetUpvote, dollarRange, spending } from './cost';

test('the cheapest comes first', () => {
  const { rows, known, axis } = costPer1000(full(), 'recent');

  expect(known).toBe(true);
  expect(rows.map((row) => row.text)).toEqual(['$0.15', '$0.44', '$0.76', '$1.31']);
  expect([0, 0.5].map(axis.format)).toEqual(['$0', '$0.50']);
});

describe('an unknown cost says why', () => {
  const calls = (asked: number, answered: number): Partial<Figures> => ({
    answeredByKind: {
      round: { asked, answered, failed: {}, share: NOTHING },
      compare: { asked: 9, answered: 9, failed: {}, share: NOTHING },
    },
  });
  const cost = (per1000: number | null): Partial<Figures> => ({
    cost: { total: 1, per1000, perNetUpvote: NOTHING, perBlindWin: null },
  });

  test.each([
    [model(0), 'no calls'],
    [model(0, { ...calls(0, 0), ...cost(null) }), 'no calls'],
    [model(0, { ...calls(4, 0), ...cost(null) }), 'no sayings'],
    [model(0, { ...calls(4, 3), ...cost(null) }), 'not known'],
  ])('per thousand (%#)', (one, text) => {
    expect(costPer1000(empty({ models: [one] }), 'recent')).toMatchObject({ known: false, rows: [{ text }] });
  });

  test.each([
    [model(0), 'no votes'],
    [voted(0, 20, [null, null, null]), 'too few votes'],
    [voted(0, 200, [0.4, 0.3, 0.5], {}, cost(1)), 'no net upvotes'],
    [voted(0, 200, [0.6, 0.5, 0.7], {}, { ...calls(4, 3), ...cost(null) }), 'not known'],
  ])('per net upvote (%#)', (one, text) => {
    expect(costPerNetUpvote(empty({ models: [one] }), 'recent').rows[0]?.text).toBe(text);
  });
});

test('an interval without an upper end says so', () => {
  expect(dollarRange(0.003, 0.0036)).toBe('$0.0030–$0.0036');
  expect(dollarRange(0.003, null)).toBe('over $0.0030');
  expect(dollarRange(null, null)).toBe('');
});

test('spending names what it leaves out', () => {
  const { totals } = full();

  expect(spending(empty())).toBe('No model has been called yet.');
  expect(spending(full())).toBe('3,320 calls wrote 7,952 sayings for $28.79 in all.');
  expect(spending(empty({ totals: { ...totals, unpricedCalls: 20 } }))).toMatch(/20 calls of these had no known price/);
});
