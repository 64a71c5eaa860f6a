import { expect, test } from 'vitest';
import { empty, full, model } from '../fixtures';
import { value } from './value';

test('models come with price and approval, the cheapest first', () => {
  const { points } = value(full(), 'recent');

  expect(points.map(({ name, price, approval }) => [name, price, approval])).toEqual([
    ['GPT-4.1-mini', 0.15, 0.613],
    ['Claude Haiku 4.5', 0.44, 0.66],
    ['GPT-4.1', 0.76, 0.681],
    ['Claude Sonnet 4.5', 1.31, 0.742],
  ]);
  expect(points[0]?.title).toBe('GPT-4.1-mini: 61\u00a0% (59–64\u00a0%) approval at $0.15 per 1,000');
});

test('a model that another beats in both is off the line', () => {
  const stats = full();
  const dear = stats.models.find(({ source }) => source === 'GPT-4.1');
  if (dear) dear.recent = { ...dear.recent, cost: { ...dear.recent.cost, per1000: 2 } };

  const { points, lede } = value(stats, 'recent');

  expect(points.filter(({ efficient }) => !efficient).map(({ name }) => name)).toEqual(['GPT-4.1']);
  expect(lede).toMatch(/another model is both cheaper and liked better than GPT-4\.1\.$/);
});

test('a model without a price or an approval is left to the table', () => {
  const { points, sheet } = value(empty({ models: [model(0), model(1)] }), 'recent');

  expect(points).toEqual([]);
  expect(sheet.rows).toHaveLength(2);
});
