import { expect, test } from 'vitest';
import { empty, full } from '../fixtures';
import { failures } from './failures';

test('failures have a column for each reason, the most frequent first', () => {
  const { asked, failed, sheet } = failures(full(), 'recent');

  expect([asked, failed]).toEqual([400, 8]);
  expect(sheet.names).toEqual(['Model', 'Calls', 'Answered', 'Too slow', 'Rate limit', 'Refused by our filter']);
  expect(sheet.rows[0]?.map(({ text }) => text)).toEqual([
    'Claude Sonnet 4.5',
    '400',
    '98.0\u00a0%\n97.0–99.0\u00a0%',
    '6',
    '2',
    '0',
  ]);
});

test('without calls there are no reasons', () => {
  const { asked, sheet } = failures(empty(), 'recent');

  expect(asked).toBe(0);
  expect(sheet.names).toHaveLength(4);
});
