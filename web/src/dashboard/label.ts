/** The text that screen readers read instead of a plot. */

import type { IntervalRow } from './rows/intervals';

/** "Approval by model. First model: 66 % (65–67 %), trails. …" */
export function intervalsLabel(title: string, rows: readonly IntervalRow[]): string {
  return `${title}. ${rows.map((row) => `${said(row)}.`).join(' ')}`;
}

/** "First model: 66 % (65–67 %), trails". */
export function said({ name, text, range, remark }: IntervalRow): string {
  return `${name}: ${text}${range && ` (${range})`}${remark && `, ${remark}`}`;
}
