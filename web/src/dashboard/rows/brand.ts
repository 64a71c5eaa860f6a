/** The brand effect: how much better a model does when its name is shown. A lot decides whether it is. */

import type { ModelStats, StatsAnswer } from '../../api/types';
import { type Mark, NEUTRAL } from '../../shared/marks';
import { count } from '../../shared/words';
import { decimals, percent, points, pointsRange } from '../figures';
import { marksIn } from '../marks';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';
import { type Axis, differenceDomain, type IntervalRow, ranked } from './intervals';

export interface Brand {
  rows: IntervalRow[];
  axis: Axis;
  known: boolean;
  sheet: Sheet;
}

export function brand(stats: StatsAnswer, period: Period): Brand {
  const marks = marksIn(stats);
  const rows = ranked(stats.models.map((model) => row(model, period, marks.get(model.model) ?? NEUTRAL)));
  return {
    rows,
    axis: {
      domain: differenceDomain(rows),
      label: 'points more with the name →',
      format: (value) => points(value).split('\u00a0')[0] ?? '',
      reference: 0,
    },
    known: rows.some(({ value }) => value !== null),
    sheet: periodSheet(stats, period, 'brand-effect', 'Brand effect by model', columns(period), stats.models),
  };
}

function row(model: ModelStats, period: Period, mark: Mark): IntervalRow {
  const { brandEffect, named } = model[period];
  const { value, low, high } = brandEffect;
  const about = { name: model.source, mark, remark: `${count(named.votes, 'vote')} under its name` };
  if (value === null) return { ...about, value, low: null, high: null, text: 'too few votes', range: '' };
  return { ...about, value, low, high, text: points(value, decimals(brandEffect)), range: pointsRange(brandEffect) };
}

function columns(period: Period): Column<ModelStats>[] {
  const part = (key: string, name: string, end: 'value' | 'low' | 'high'): Column<ModelStats> => ({
    key,
    name,
    value: (model) => model[period].brandEffect[end],
    text: (model) => points(model[period].brandEffect[end] ?? 0, 1),
  });
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    part('brand_effect', 'Brand effect', 'value'),
    part('brand_effect_low', '95 % from', 'low'),
    part('brand_effect_high', 'to', 'high'),
    { key: 'named_votes', name: 'Votes under its name', value: (model) => model[period].named.votes },
    { key: 'named_upvotes', name: 'Thumbs up', value: (model) => model[period].named.upvotes },
    {
      key: 'named_approval',
      name: 'Approval under its name',
      value: (model) => (model[period].brandEffect.value === null ? null : namedApproval(model, period)),
      text: (model) => percent(namedApproval(model, period), 1),
    },
  ];
}

function namedApproval(model: ModelStats, period: Period): number {
  const { votes, upvotes } = model[period].named;
  return upvotes / votes;
}
