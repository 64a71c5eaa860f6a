/** How often each model is picked as the best once the length of its sayings is allowed for, by the last analysis. */

import type { Analysis, StatsAnswer } from '../../api/types';
import { NEUTRAL } from '../../shared/marks';
import { count } from '../../shared/words';
import { dayAndMonth, estimate, percent } from '../figures';
import { marksIn } from '../marks';
import { type Sheet, sheet } from '../sheet';
import { type Axis, estimateRow, type IntervalRow, ranked, shareDomain } from './intervals';

export interface AtEqualLength {
  lede: string;
  rows: IntervalRow[];
  axis: Axis;
  sheet: Sheet;
}

type AnalysedModel = Analysis['models'][number];

/** Null when the analysis has not been run. */
export function atEqualLength(stats: StatsAnswer): AtEqualLength | null {
  const { analysis } = stats;
  if (!analysis) return null;
  const marks = marksIn(stats);
  const sources = new Map(stats.models.map(({ model, source }) => [model, source]));
  const name = ({ model }: AnalysedModel) => sources.get(model) ?? model;
  const rows = ranked(
    analysis.models.map((model) => ({
      ...estimateRow(model.adjusted, analysis.ballots, ['no picks', 'too few picks']),
      name: name(model),
      remark: model.picked.value === null ? '' : `${estimate(model.picked.value, model.picked)} as it is`,
      mark: marks.get(model.model) ?? NEUTRAL,
    })),
  );
  return {
    lede: lede(analysis),
    rows,
    axis: { domain: shareDomain(rows), label: 'share of picks at equal length →', format: percent },
    sheet: sheet(
      'picked-at-equal-length',
      'Picked as the best at equal length, by model',
      [
        { key: 'model', name: 'Model', value: name },
        ...part('adjusted', 'At equal length'),
        ...part('picked', 'As it is'),
      ],
      analysis.models,
    ),
  };
}

function lede({ ballots, generatedAt, length, lengthDeviation }: Analysis): string {
  const from = `From ${count(ballots, 'comparison')} of all time, analysed on ${dayAndMonth(generatedAt)}`;
  if (length.value === null || length.low === null || length.high === null) return `${from}.`;
  const [factor, low, high] = [length.value, length.low, length.high].map((each) => each.toFixed(2));
  const longer = count(Math.round(lengthDeviation), 'character');
  return `${from}. If a saying is ${longer} longer, the odds that it is picked are ${factor} times as high (${low}–${high}).`;
}

function part(figure: 'adjusted' | 'picked', name: string) {
  const column = (key: string, title: string, end: 'value' | 'low' | 'high') => ({
    key,
    name: title,
    value: (model: AnalysedModel) => model[figure][end],
    text: (model: AnalysedModel) => percent(model[figure][end] ?? 0, 1),
  });
  return [
    column(figure, name, 'value'),
    column(`${figure}_low`, '95 % from', 'low'),
    column(`${figure}_high`, 'to', 'high'),
  ];
}
