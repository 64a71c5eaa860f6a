import { expect, test } from 'vitest';
import { csv, fileName } from './csv';
import { type Column, sheet } from './sheet';

interface Row {
  name: string;
  share: number | null;
}
const COLUMNS: readonly Column<Row>[] = [
  { key: 'name', name: 'Name', value: (row) => row.name },
  { key: 'share', name: 'Share', value: (row) => row.share, text: () => 'for people' },
];

function written(...rows: Row[]): string {
  return csv(sheet('shares', 'Shares', COLUMNS, rows));
}

test('figures are not rounded, and null is empty', () => {
  const text = written({ name: 'Amazon S3', share: 0.123456789 }, { name: 'AWS IAM', share: null });

  expect(text).toBe('name,share\r\nAmazon S3,0.123456789\r\nAWS IAM,\r\n');
});

test('commas, quotes and line breaks are quoted', () => {
  expect(written({ name: 'a,b', share: 1 }, { name: 'say "x"', share: 1 }, { name: 'a\nb', share: 1 })).toBe(
    'name,share\r\n"a,b",1\r\n"say ""x""",1\r\n"a\nb",1\r\n',
  );
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])('%j is text to a spreadsheet, not a formula', (name) => {
  expect(written({ name, share: -0.5 })).toMatch(/\n"?'[\s\S]+,-0\.5\r\n$/);
});

test('the file’s name has subject, time and "simulated"', () => {
  const table = sheet('approval', 'Approval', COLUMNS, []);

  expect(fileName(table, '2026-11-20T14:32:10Z', true)).toBe('cloud-sayings-approval-2026-11-20T14-32Z-simulated.csv');
  expect(fileName(table, '2026-11-20T14:32:10Z', false)).toBe('cloud-sayings-approval-2026-11-20T14-32Z.csv');
});
