import { expect, test } from 'vitest';
import type { ModelsAnswer } from '../api/types';
import { markAt, marksOf } from './marks';

const catalogue = (models: [model: string, seat: string | null][]) =>
  ({ seats: [], models: models.map(([model, seat]) => ({ model, seat })) }) as unknown as ModelsAnswer;

test('four seats have their own colours and shapes', () => {
  expect([0, 1, 2, 3].map((seat) => markAt(seat))).toEqual([
    { colour: 'var(--model-1)', shape: 'circle' },
    { colour: 'var(--model-2)', shape: 'square' },
    { colour: 'var(--model-3)', shape: 'triangle' },
    { colour: 'var(--model-4)', shape: 'diamond' },
  ]);
});

test('the marks of sixteen seats differ', () => {
  const looks = Array.from({ length: 16 }, (_, seat) => JSON.stringify(markAt(seat)));

  expect(new Set(looks).size).toBe(16);
});

test('a successor has the colour of its seat and another shape', () => {
  const marks = marksOf(
    [],
    catalogue([
      ['old', 'small'],
      ['other', 'large'],
      ['new', 'small'],
    ]),
  );

  expect(marks.get('old')).toEqual({ colour: 'var(--model-1)', shape: 'circle' });
  expect(marks.get('new')).toEqual({ colour: 'var(--model-1)', shape: 'square' });
});

test('models outside the catalogue keep their marks when the ranking changes', () => {
  const known = catalogue([['a', null]]);

  expect(marksOf(['c', 'b'], known)).toEqual(marksOf(['b', 'c'], known));
  expect(marksOf(['b'], known).get('b')).toEqual(markAt(1));
});

test('without a catalogue the ids decide', () => {
  expect([...marksOf(['b', 'a'], null).keys()]).toEqual(['a', 'b']);
});
