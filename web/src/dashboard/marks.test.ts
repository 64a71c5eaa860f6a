import { expect, test } from 'vitest';
import { markAt } from './marks';

test('the catalogue’s models have their own colours and shapes', () => {
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
