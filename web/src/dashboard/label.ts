/** What a plot shows in one sentence, for who does not see it. */

import type { IntervalRow } from './rows/intervals';

/** "Approval by model. Claude Haiku 4.5: 66 % (65–67 %), trails. …" */
export function intervalsLabel(title: string, rows: readonly IntervalRow[]): string {
  return `${title}. ${rows.map((row) => `${row.name}: ${said(row)}.`).join(' ')}`;
}

function said({ text, range, remark }: IntervalRow): string {
  return `${text}${range && ` (${range})`}${remark && `, ${remark}`}`;
}
