import { expect, test } from 'vitest';
import type { ModelStats } from '../../api/types';
import { empty, model } from '../fixtures';
import { days } from './days';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

const WITH_DAYS: Partial<ModelStats> = {
  days: [
    { day: '2026-10-24', votes: 90, upvotes: 45 },
    { day: '2026-11-01', votes: 20, upvotes: 2 },
    { day: '2026-11-10', votes: 12, upvotes: 12 },
    { day: '2026-11-12', votes: 20, upvotes: 12 },
    { day: '2026-11-16', votes: 8, upvotes: 4 },
    { day: '2026-11-17', votes: 22, upvotes: 8 },
  ],
  marks: [
    { day: '2026-11-12', change: 'prompt', value: '4' },
    { day: '2026-11-15', change: 'snapshot', value: 'gpt-4.1-2026-11-14' },
    { day: '2026-11-19', change: 'left', value: 'gpt-4.1-mini' },
  ],
};
const STATS = empty({ models: [model(2, {}, WITH_DAYS), model(3)] });

test('a point stands for a week with enough votes', () => {
  const { rows, known } = days(STATS);

  expect(rows.map(({ points }) => points.map(({ title }) => plain(title)))).toEqual([
    [
      'GPT-4.1: 75 % of 32 votes in the week to 12 Nov',
      'GPT-4.1: 70 % of 40 votes in the week to 16 Nov',
      'GPT-4.1: 48 % of 50 votes in the week to 17 Nov',
    ],
    [],
  ]);
  expect(known).toBe(true);
});

test('the scales begin with the first whole week', () => {
  const { domain } = days(STATS);

  expect(domain.x.map((day) => day.toISOString().slice(0, 10))).toEqual(['2026-10-28', '2026-11-20']);
  expect(domain.y).toEqual([0.45, 0.8]);
});

test('what changed is said, the latest first', () => {
  expect(days(STATS).changes).toEqual([
    '19 Nov: GPT-4.1 left, and GPT-4.1-mini follows.',
    '15 Nov: GPT-4.1 has a new snapshot (gpt-4.1-2026-11-14).',
    '12 Nov: GPT-4.1 has a new prompt (4).',
  ]);
});

test('the table has every day, and a share of whole weeks with enough votes', () => {
  const { sheet } = days(STATS);

  expect(sheet.rows.map((row) => plain(row.at(-1)?.text ?? ''))).toEqual([
    '–',
    'too few votes',
    'too few votes',
    '75.0 %',
    '70.0 %',
    '48.0 %',
  ]);
});

test('without votes nothing is known', () => {
  expect(days(empty()).known).toBe(false);
});
