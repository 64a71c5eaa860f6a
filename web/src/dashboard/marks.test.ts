import { expect, test } from 'vitest';
import { empty } from './fixtures';
import { markAt, marksOf } from './marks';

test('four models have their own colours and shapes', () => {
  expect([0, 1, 2, 3].map(markAt)).toEqual([
    { colour: 'var(--model-1)', shape: 'circle' },
    { colour: 'var(--model-2)', shape: 'square' },
    { colour: 'var(--model-3)', shape: 'triangle' },
    { colour: 'var(--model-4)', shape: 'diamond' },
  ]);
});

test('the marks of sixteen models differ', () => {
  const looks = Array.from({ length: 16 }, (_, place) => JSON.stringify(markAt(place)));

  expect(new Set(looks).size).toBe(16);
});

test('a model keeps its mark when the ranking changes', () => {
  const stats = empty();
  const turned = { ...stats, models: stats.models.toReversed() };

  expect(marksOf(turned)).toEqual(marksOf(stats));
});
