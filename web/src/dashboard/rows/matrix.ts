/** How often each model was preferred to each other, in the comparisons that showed a saying of both. */

import type { ModelStats, PairRecord, StatsAnswer } from '../../api/types';
import { type Mark, NEUTRAL } from '../../shared/marks';
import { percent } from '../figures';
import { marksIn } from '../marks';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';

export interface Pair {
  row: string;
  column: string;
  record: PairRecord;
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

const NEVER: PairRecord = {
  wins: 0,
  losses: 0,
  ties: 0,
  share: { value: null, low: null, high: null },
  verdict: null,
};

/** The model that is picked most comes first. */
export function matrix(stats: StatsAnswer, period: Period): Matrix {
  const marks = marksIn(stats);
  const share = (model: ModelStats) => model[period].picked.value ?? 0;
  const models = stats.models.toSorted((a, b) => share(b) - share(a));
  const records = stats.comparisons[period].matrix;
  const rows = models.map((model) => ({
    name: model.source,
    mark: marks.get(model.model) ?? NEUTRAL,
    cells: models.map((other) => {
      if (model === other) return null;
      const record = records[model.model]?.[other.model] ?? NEVER;
      return { row: model.source, column: other.source, record };
    }),
  }));
  const pairs = rows.flatMap((row) => row.cells).filter((cell) => cell !== null);
  return { rows, sheet: periodSheet(stats, period, 'win-matrix', 'Wins by pair of models', COLUMNS, pairs) };
}

const COLUMNS: readonly Column<Pair>[] = [
  { key: 'model', name: 'Model', value: ({ row }) => row },
  { key: 'against', name: 'Against', value: ({ column }) => column },
  { key: 'wins', name: 'Wins', value: ({ record }) => record.wins },
  { key: 'losses', name: 'Losses', value: ({ record }) => record.losses },
  { key: 'ties', name: 'Ties', value: ({ record }) => record.ties },
  shareColumn('share_of_decided', 'Share of decided', 'value'),
  shareColumn('share_low', '95 % from', 'low'),
  shareColumn('share_high', 'to', 'high'),
  { key: 'verdict', name: 'Verdict', value: ({ record }) => record.verdict, none: () => 'open' },
];

function shareColumn(key: string, name: string, end: 'value' | 'low' | 'high'): Column<Pair> {
  const value = ({ record }: Pair) => record.share[end];
  return { key, name, value, text: (pair) => percent(value(pair) ?? 0, 1) };
}
