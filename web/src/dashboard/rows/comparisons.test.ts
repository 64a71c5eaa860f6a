import { describe, expect, test } from 'vitest';
import { empty, full } from '../fixtures';
import { matrix } from './matrix';
import { picked } from './picked';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

describe('the win matrix', () => {
  test('has the most picked first, and a cell for every pair', () => {
    const { rows, sheet } = matrix(full(), 'recent');

    expect(rows.map((row) => row.name)).toEqual(['Claude Sonnet 4.5', 'GPT-4.1', 'GPT-4.1-mini', 'Claude Haiku 4.5']);
    expect(rows[0]?.cells[0]).toBeNull();
    expect(rows[0]?.cells[1]?.record).toMatchObject({ wins: 60, share: { value: 0.6 }, verdict: 'ahead' });
    expect(sheet.rows).toHaveLength(12);
  });

  test('says in the table where it is open who is ahead', () => {
    const verdicts = matrix(full(), 'recent').sheet.rows.map((row) => row.at(-1)?.text);

    expect(verdicts.slice(0, 5)).toEqual(['ahead', 'open', 'open', 'behind', 'open']);
  });

  test('exists before any comparison', () => {
    expect(matrix(empty(), 'allTime').rows[0]?.cells[1]?.record).toMatchObject({ wins: 0, losses: 0, ties: 0 });
  });
});

describe('picks', () => {
  test('are shares of ballots with their intervals', () => {
    const { rows, known } = picked(full(), 'recent');

    expect(known).toBe(true);
    expect(rows.map((row) => [row.name, plain(row.text), plain(row.range), row.remark])).toEqual([
      ['Claude Sonnet 4.5', '36 %', '32–40 %', '63 picks in 174 comparisons'],
      ['GPT-4.1', 'no picks', '', ''],
      ['Claude Haiku 4.5', 'no picks', '', ''],
      ['GPT-4.1-mini', 'no picks', '', ''],
    ]);
  });

  test('are unknown without comparisons', () => {
    expect(picked(empty(), 'recent').known).toBe(false);
  });
});
