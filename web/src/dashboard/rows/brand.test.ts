import { expect, test } from 'vitest';
import { empty, full } from '../fixtures';
import { brand } from './brand';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('the brand effect is in points, the greatest first', () => {
  const { rows, axis, known } = brand(full(), 'recent');

  expect(rows.map((row) => [row.name, plain(row.text), row.range])).toEqual([
    ['Claude Sonnet 4.5', '+4 points', '+1 to +7'],
    ['GPT-4.1', '−1 point', '−4 to +2'],
    ['Claude Haiku 4.5', 'too few votes', ''],
    ['GPT-4.1-mini', 'too few votes', ''],
  ]);
  expect(rows[0]?.remark).toBe('1,180 votes under its name');
  expect([known, axis.reference, axis.format(-0.02)]).toEqual([true, 0, '−2']);
});

test('approval under the name is in the table from enough votes on', () => {
  const texts = brand(full(), 'recent').sheet.rows.map((row) => row.at(-1)?.text);

  expect(texts.map((text) => plain(text ?? ''))).toEqual(['78.3 %', '67.1 %', '–', '–']);
});

test('without votes nothing is known', () => {
  expect(brand(empty(), 'recent').known).toBe(false);
});
