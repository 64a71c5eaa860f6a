/** Bradley–Terry strengths from the ballots: how likely a model's saying is preferred. */

import type { ModelStats, StatsAnswer } from '../../api/types';
import { strength } from '../figures';
import { marksOf, NEUTRAL } from '../marks';
import { type Column, type Sheet, sheet } from '../sheet';
import { type Axis, extent, type IntervalRow, ranked } from './intervals';

export interface Strengths {
  rows: IntervalRow[];
  axis: Axis;
  /** False when no model has a strength. */
  known: boolean;
  sheet: Sheet;
}

export function strengths(stats: StatsAnswer): Strengths {
  const marks = marksOf(stats);
  const rows = ranked(stats.models.map((model) => row(model, marks.get(model.model) ?? NEUTRAL)));
  return {
    rows,
    axis: {
      type: 'log',
      domain: domain(rows),
      label: 'strength, 1 is the average →',
      format: (value) => String(Number(value.toPrecision(3))),
      reference: 1,
      ticks: ticks(rows),
    },
    known: rows.some((one) => one.value !== null),
    sheet: sheet('strengths', 'Bradley–Terry strength by model', COLUMNS, stats.models),
  };
}

const FINE = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2, 2.5, 3, 4];
const COARSE = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 50, 100];

function ticks(rows: readonly IntervalRow[]): readonly number[] {
  const [low, high] = domain(rows);
  return high / low < 5 ? FINE : COARSE;
}

function row({ source, strength: { value, low, high } }: ModelStats, mark: IntervalRow['mark']): IntervalRow {
  if (value === null || low === null || high === null) {
    const text = 'too few votes';
    return { name: source, remark: '', mark, value: null, low: null, high: null, text, range: '', raw: null };
  }
  return {
    name: source,
    remark: odds(low, high),
    mark,
    value,
    low,
    high,
    text: strength(value),
    range: `${strength(low)}–${strength(high)}`,
    raw: null,
  };
}

function odds(low: number, high: number): string {
  if (low > 1) return 'above the average';
  return high < 1 ? 'below the average' : 'about average';
}

/** A domain around 1 that holds the ends of all intervals. */
function domain(rows: readonly IntervalRow[]): [number, number] {
  const [low, high] = extent(rows) ?? [0.5, 2];
  return [Math.min(low * 0.94, 0.8), Math.max(high * 1.06, 1.25)];
}

const COLUMNS: readonly Column<ModelStats>[] = [
  { key: 'model', name: 'Model', value: (model) => model.source },
  strengthColumn('strength', 'Strength', 'value'),
  strengthColumn('strength_low', '95 % from', 'low'),
  strengthColumn('strength_high', 'to', 'high'),
];

function strengthColumn(key: string, name: string, part: 'value' | 'low' | 'high'): Column<ModelStats> {
  return {
    key,
    name,
    value: (model) => model.strength[part],
    text: (model) => strength(model.strength[part] ?? 0),
  };
}
