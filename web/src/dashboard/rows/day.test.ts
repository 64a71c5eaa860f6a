import { describe, expect, test } from 'vitest';
import type { StatsAnswer } from '../../api/types';
import { empty, full } from '../fixtures';
import { hourBars, peak, total } from './hours';
import { SHOWN, services } from './services';

describe('hours', () => {
  test('only the last one is not over', () => {
    const bars = hourBars(empty(), 'votes');

    expect(bars).toHaveLength(24);
    expect(bars.filter((bar) => bar.soFar)).toEqual([bars[23]]);
    expect(bars[23]?.title).toMatch(/: 0 votes so far$/);
  });

  test('without a count have no peak', () => {
    expect(peak(hourBars(empty(), 'serves'))).toBeNull();
  });

  test('the busiest one is found', () => {
    const stats = empty();
    const hours = stats.hours.map((hour, index) => ({ ...hour, votes: index === 5 ? 40 : 1 }));
    const bars = hourBars({ ...stats, hours }, 'votes');

    expect(peak(bars)).toBe(bars[5]);
    expect(total(bars)).toBe(63);
  });
});

describe('services', () => {
  test('with too few votes stay in the table', () => {
    const { rows, sheet, measured, all } = services(full());

    expect(rows.map((row) => row.name)).toEqual(['AWS Lambda', 'Amazon S3']);
    expect([sheet.rows.length, measured, all]).toEqual([3, 2, 3]);
  });

  test('with the most votes are drawn, the best liked first', () => {
    const many: StatsAnswer['services'] = Array.from({ length: 30 }, (_, index) => ({
      service: `Service ${index}`,
      votes: 1000 - index,
      approval: 0.5 + index / 100,
      models: [],
    }));
    const { rows } = services(empty({ services: many }));

    expect(rows).toHaveLength(SHOWN);
    expect(rows[0]?.name).toBe(`Service ${SHOWN - 1}`);
  });

  test('have each model in the table, and its votes where they are too few for a share', () => {
    const { models } = full();
    const on = models.slice(0, 2).map(({ model }, place) => ({ model, votes: 150 - 130 * place, approval: null }));
    const stats = { ...full(), services: [{ service: 'Amazon S3', votes: 170, approval: 0.7, models: on }] };

    const { names, rows } = services(stats).sheet;
    const shown = rows[0]?.filter((_, column) => names[column] !== null).map(({ text }) => text);

    expect(shown?.slice(3, 6)).toEqual(['150 votes', '20 votes', '0 votes']);
  });
});
