/** A sheet as CSV (RFC 4180): the figures in full, null as nothing. */

import type { Sheet, Value } from './sheet';

// What a spreadsheet takes for a formula; a number of ours may well begin with a minus.
const FORMULA = /^[=+\-@\t\r]/;
const NEEDS_QUOTES = /[",\r\n]/;

export function csv(sheet: Sheet): string {
  const lines = [sheet.keys, ...sheet.rows.map((row) => row.map((cell) => cell.value))];
  return lines.map((line) => `${line.map(field).join(',')}\r\n`).join('');
}

function field(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const harmless = FORMULA.test(value) ? `'${value}` : value;
  return NEEDS_QUOTES.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** "cloud-sayings-approval-2026-11-20T14-32Z.csv", and says so when the models are simulated. */
export function fileName(sheet: Sheet, generatedAt: string, simulated: boolean): string {
  const moment = `${generatedAt.slice(0, 16).replace(':', '-')}Z`;
  return `cloud-sayings-${sheet.file}-${moment}${simulated ? '-simulated' : ''}.csv`;
}
