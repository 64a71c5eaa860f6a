/** How often each model is picked as the best of a comparison, in shares that add up to one. */

import type { ModelStats, StatsAnswer } from '../../api/types';
import { type Mark, NEUTRAL } from '../../shared/marks';
import { count } from '../../shared/words';
import { percent } from '../figures';
import { marksIn } from '../marks';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';
import { type Axis, estimateRow, type IntervalRow, ranked, shareDomain } from './intervals';

export interface Picked {
  rows: IntervalRow[];
  axis: Axis;
  /** False when no model has a share. */
  known: boolean;
  sheet: Sheet;
}

export const NO_PICKS = ['no picks', 'too few picks'] as const;

export function picked(stats: StatsAnswer, period: Period): Picked {
  const marks = marksIn(stats);
  const rows = ranked(stats.models.map((model) => row(model, period, marks.get(model.model) ?? NEUTRAL)));
  return {
    rows,
    axis: { domain: shareDomain(rows), label: 'share of picks →', format: percent },
    known: rows.some(({ value }) => value !== null),
    sheet: periodSheet(stats, period, 'picked', 'Picked as the best, by model', columns(period), stats.models),
  };
}

function row(model: ModelStats, period: Period, mark: Mark): IntervalRow {
  const { picked, ballots, wins } = model[period];
  const remark = ballots ? `${count(wins, 'pick')} in ${count(ballots, 'comparison')}` : '';
  return { ...estimateRow(picked, ballots, NO_PICKS), name: model.source, remark, mark };
}

function columns(period: Period): Column<ModelStats>[] {
  const part = (
    key: string,
    name: string,
    figure: 'picked' | 'pickedOfAsked',
    end: 'value' | 'low' | 'high',
  ): Column<ModelStats> => ({
    key,
    name,
    value: (model) => model[period][figure][end],
    text: (model) => percent(model[period][figure][end] ?? 0, 1),
  });
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    part('picked', 'Picked as the best', 'picked', 'value'),
    part('picked_low', '95 % from', 'picked', 'low'),
    part('picked_high', 'to', 'picked', 'high'),
    part('picked_of_asked', 'With failures as losses', 'pickedOfAsked', 'value'),
    part('picked_of_asked_low', '95 % from', 'pickedOfAsked', 'low'),
    part('picked_of_asked_high', 'to', 'pickedOfAsked', 'high'),
    { key: 'wins', name: 'Picks', value: (model) => model[period].wins },
    { key: 'ballots', name: 'Of comparisons', value: (model) => model[period].ballots },
  ];
}
