import { expect, test } from 'vitest';
import { csv } from '../csv';
import { empty, full } from '../fixtures';
import { overview } from './overview';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('the table has the figures of a model in words', () => {
  const { names, rows, caption } = overview(full(), 'recent');
  const shown = rows[0]?.flatMap(({ text }, column) => (names[column] ? [plain(text)] : []));

  expect(caption).toBe('All models in the last 30 days');
  expect(names.filter(Boolean)).toEqual([
    'Model',
    'Approval, blind',
    'Picked as the best',
    'Answered',
    'Time (p50)',
    '$ per 1,000 sayings',
  ]);
  expect(shown).toEqual([
    'Claude Sonnet 4.5',
    '74 %\n72–77 %',
    '36 %\n32–40 %',
    '98.0 %\n97.0–99.0 %',
    '1.9 s',
    '$1.31',
  ]);
});

test('what is not known says why', () => {
  const { names, rows } = overview(empty(), 'recent');
  const shown = rows[0]?.flatMap(({ text }, column) => (names[column] ? [text] : []));

  expect(shown?.slice(1)).toEqual(['no votes', 'no picks', 'no calls', 'no calls', 'no calls']);
});

test('the file has the ends of the intervals in columns of their own', () => {
  const [keys, first] = csv(overview(full(), 'recent')).split('\r\n');

  expect(keys).toMatch(/^model,approval,approval_low,approval_high,picked,picked_low/);
  expect(first).toMatch(/^Claude Sonnet 4\.5,0\.742,0\.717,0\.766,0\.36,0\.32,0\.4/);
});
