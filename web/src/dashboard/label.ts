/** The text that screen readers read instead of a plot. */

import type { IntervalRow } from './rows/intervals';

/** "Approval by model. First model: 66 % (65–67 %), trails. …" */
export function intervalsLabel(title: string, rows: readonly IntervalRow[]): string {
  return `${title}. ${rows.map((row) => `${row.name}: ${said(row)}.`).join(' ')}`;
}

function said({ text, range, remark }: IntervalRow): string {
  return `${text}${range && ` (${range})`}${remark && `, ${remark}`}`;
}
