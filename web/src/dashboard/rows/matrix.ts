/** How often each model was preferred to each other, in the comparisons that showed both. */

import type { ModelStats, PairRecord, StatsAnswer } from '../../api/types';
import { percent } from '../figures';
import { type Mark, marksOf, NEUTRAL } from '../marks';
import { type Column, type Sheet, sheet } from '../sheet';

export interface Pair {
  row: string;
  column: string;
  record: PairRecord;
  /** The share of wins among wins and losses; null when there are too few of them. */
  share: number | null;
  /** Whether the share's 95 % interval excludes one half. */
  sure: boolean;
}

export interface MatrixRow {
  name: string;
  mark: Mark;
  /** In the order of the rows; null where the model meets itself. */
  cells: (Pair | null)[];
}

export interface Matrix {
  rows: MatrixRow[];
  sheet: Sheet;
}

// With fewer, the share's interval is wider than 35 percentage points, and the share would mislead.
export const MIN_DECIDED = 30;

export function matrix(stats: StatsAnswer): Matrix {
  const marks = marksOf(stats);
  const models = stats.models.toSorted((a, b) => (b.strength.value ?? 0) - (a.strength.value ?? 0));
  const rows = models.map((model) => ({
    name: model.source,
    mark: marks.get(model.model) ?? NEUTRAL,
    cells: models.map((other) => (model === other ? null : pair(stats, model, other))),
  }));
  const pairs = rows.flatMap((row) => row.cells).filter((cell) => cell !== null);
  return { rows, sheet: sheet('win-matrix', 'Wins by pair of models', COLUMNS, pairs) };
}

function pair(stats: StatsAnswer, model: ModelStats, other: ModelStats): Pair {
  const record = stats.comparisons.matrix[model.model]?.[other.model] ?? { wins: 0, losses: 0, ties: 0 };
  return { row: model.source, column: other.source, record, ...shareOf(record) };
}

export function shareOf({ wins, losses }: PairRecord): Pick<Pair, 'share' | 'sure'> {
  const decided = wins + losses;
  if (decided < MIN_DECIDED) return { share: null, sure: false };
  const share = wins / decided;
  // The Wilson interval excludes one half exactly when the score test rejects one half.
  return { share, sure: Math.abs(share - 0.5) > 1.96 * Math.sqrt(0.25 / decided) };
}

const COLUMNS: readonly Column<Pair>[] = [
  { key: 'model', name: 'Model', value: (one) => one.row },
  { key: 'against', name: 'Against', value: (one) => one.column },
  { key: 'wins', name: 'Wins', value: (one) => one.record.wins },
  { key: 'losses', name: 'Losses', value: (one) => one.record.losses },
  { key: 'ties', name: 'Ties', value: (one) => one.record.ties },
  {
    key: 'share_of_decided',
    name: 'Share of decided',
    value: (one) => one.share,
    text: (one) => percent(one.share ?? 0, 1),
  },
];
