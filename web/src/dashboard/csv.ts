/** Writes a sheet as CSV (RFC 4180), with unrounded figures and empty cells for null. */

import type { Sheet, Value } from './sheet';

// A spreadsheet would read such a text as a formula. Numbers are written as they are and may begin with a minus.
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

/** "cloud-sayings-approval-2026-11-20T14-32Z.csv", with "simulated" in it when the models are. */
export function fileName(sheet: Sheet, generatedAt: string, simulated: boolean): string {
  const moment = `${generatedAt.slice(0, 16).replace(':', '-')}Z`;
  return `cloud-sayings-${sheet.file}-${moment}${simulated ? '-simulated' : ''}.csv`;
}
