import { describe, expect, test } from 'vitest';
import { empty, full } from '../fixtures';
import { matrix, shareOf } from './matrix';
import { strengths } from './strength';

describe('the win matrix', () => {
  test('has the strongest first, and a cell for every pair', () => {
    const { rows, sheet } = matrix(full());

    expect(rows.map((row) => row.name)).toEqual(['Claude Sonnet 4.5', 'GPT-4.1', 'GPT-4.1-mini', 'Claude Haiku 4.5']);
    expect(rows[0]?.cells[0]).toBeNull();
    expect(rows[0]?.cells[1]).toMatchObject({ share: 0.6, sure: true, record: { wins: 60, losses: 40, ties: 10 } });
    expect(sheet.rows).toHaveLength(12);
  });

  test('shows no share of very few comparisons', () => {
    expect(shareOf({ wins: 3, losses: 0, ties: 80 })).toEqual({ share: null, sure: false });
  });

  test.each([
    [{ wins: 60, losses: 40, ties: 0 }, true],
    [{ wins: 55, losses: 45, ties: 0 }, false],
    [{ wins: 550, losses: 450, ties: 0 }, true],
    [{ wins: 40, losses: 60, ties: 0 }, true],
  ])('knows whether %j is more than chance', (record, sure) => {
    expect(shareOf(record).sure).toBe(sure);
  });

  test('exists before any comparison', () => {
    expect(matrix(empty()).rows[0]?.cells[1]).toMatchObject({ share: null, record: { wins: 0, losses: 0, ties: 0 } });
  });
});

describe('strengths', () => {
  test('are placed by the average when that is certain', () => {
    const { rows, known } = strengths(full());

    expect(known).toBe(true);
    expect(rows.map((row) => [row.name, row.text, row.range, row.remark])).toEqual([
      ['Claude Sonnet 4.5', '1.20', '1.13–1.28', 'above the average'],
      ['GPT-4.1', '1.12', '0.98–1.19', 'about average'],
      ['GPT-4.1-mini', '0.78', '0.73–0.83', 'below the average'],
      ['Claude Haiku 4.5', 'too few votes', '', ''],
    ]);
  });

  test('are unknown without comparisons', () => {
    expect(strengths(empty()).known).toBe(false);
  });
});
