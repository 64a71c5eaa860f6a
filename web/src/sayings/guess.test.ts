import { expect, it } from 'vitest';
import type { ModelsAnswer } from '../api/types';
import { type Choice, choicesOf, type Guess, guessNews, judged } from './guess';

const CHOICES: Choice[] = [
  { who: 'gpt-4.1', name: 'GPT-4.1' },
  { who: 'person', name: 'A person' },
];
const guess = (who: string, change: Partial<Guess> = {}): Guess => ({ who, outcome: null, streak: 0, ...change });
const author = (model: string | null) => ({ source: 's', model, vendor: null, originalLlmTime: null });

function streakOf(length: number) {
  const held = new Map([['sayings.streak', String(length)]]);
  const memory = {
    getItem: (key: string) => held.get(key) ?? null,
    setItem: (key: string, value: string) => void held.set(key, value),
    removeItem: (key: string) => void held.delete(key),
  };
  return { held, memory };
}

it('offers the models that take part, and a person', () => {
  const models = [
    { model: 'gpt-4.1', name: 'GPT-4.1', participates: true },
    { model: 'old', name: 'Old', participates: false },
  ];

  expect(choicesOf({ seats: [], models } as unknown as ModelsAnswer)).toEqual(CHOICES);
  expect(choicesOf(null)).toEqual([]);
});

it.each([
  [guess('gpt-4.1'), 'gpt-4.1', { outcome: 'right', streak: 3 }, '3'],
  [guess('person'), null, { outcome: 'right', streak: 3 }, '3'],
  [guess('person'), 'gpt-4.1', { outcome: 'wrong', streak: 2 }, '0'],
  [guess('gpt-4.1'), 'retired-model', { outcome: 'unlisted', streak: 2 }, '2'],
])('compares a guess with the author and counts the streak (%#)', (given, model, outcome, left) => {
  const { held, memory } = streakOf(2);

  expect(judged(given, author(model), CHOICES, memory)).toEqual({ who: given.who, ...outcome });
  expect(held.get('sayings.streak')).toBe(left);
});

it.each([
  [guess('gpt-4.1'), 'GPT-4.1', ''],
  [guess('gpt-4.1', { outcome: 'right', streak: 1 }), 'GPT-4.1', 'You guessed it.'],
  [guess('gpt-4.1', { outcome: 'right', streak: 4 }), 'GPT-4.1', 'You guessed it. That makes 4 in a row.'],
  [guess('person', { outcome: 'wrong', streak: 1 }), 'A person', 'It was not a person.'],
  [guess('gpt-4.1', { outcome: 'wrong', streak: 3 }), 'GPT-4.1', 'It was not GPT-4.1. Your streak ends at 3.'],
  [
    guess('gpt-4.1', { outcome: 'unlisted', streak: 3 }),
    'GPT-4.1',
    'None of the names was right, so this guess does not count.',
  ],
])('says how a guess went (%#)', (given, name, words) => {
  expect(guessNews(given, name)).toBe(words);
});
