/** Price against approval: what a thousand sayings cost and how many people like them. */

import type { ModelStats, StatsAnswer } from '../../api/types';
import { type Mark, NEUTRAL } from '../../shared/marks';
import { dollars, list } from '../../shared/words';
import { estimate, percent } from '../figures';
import { marksIn } from '../marks';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';
import { shareDomain } from './intervals';

export interface ValuePoint {
  name: string;
  mark: Mark;
  /** US dollars for a thousand sayings. */
  price: number;
  approval: number;
  low: number | null;
  high: number | null;
  /** Whether no other model is both cheaper and liked better. */
  efficient: boolean;
  title: string;
}

export interface ValuePlot {
  /** The cheapest first. */
  points: ValuePoint[];
  domain: { x: [number, number]; y: [number, number] };
  /** What the plot shows, in a sentence. */
  lede: string;
  sheet: Sheet;
}

export function value(stats: StatsAnswer, period: Period): ValuePlot {
  const marks = marksIn(stats);
  const known = stats.models.flatMap((model) => point(model, period, marks.get(model.model) ?? NEUTRAL));
  const points = known
    .map((each) => ({ ...each, efficient: !known.some((other) => beats(other, each)) }))
    .toSorted((a, b) => a.price - b.price);
  const prices = points.map(({ price }) => price);
  const table = periodSheet(
    stats,
    period,
    'price-and-approval',
    'Price and approval by model',
    columns(period),
    stats.models,
  );
  return {
    points,
    // On a logarithmic axis, with a margin for the shapes.
    domain: {
      x: points.length ? [Math.min(...prices) / 1.5, Math.max(...prices) * 1.5] : [0.1, 10],
      y: shareDomain(points.map(({ approval, low, high }) => ({ value: approval, low, high }))),
    },
    lede: lede(points),
    sheet: table,
  };
}

type Known = Omit<ValuePoint, 'efficient'>;

function point(model: ModelStats, period: Period, mark: Mark): Known[] {
  const { approval, cost } = model[period];
  const { value, low, high } = approval;
  const price = cost.per1000;
  // A price of nothing has no place on a logarithmic axis.
  if (value === null || !price) return [];
  const title = `${model.source}: ${estimate(value, approval)} approval at ${dollars(price)} per 1,000`;
  return [{ name: model.source, mark, price, approval: value, low, high, title }];
}

function beats(one: Known, other: Known): boolean {
  const asGood = one.price <= other.price && one.approval >= other.approval;
  return asGood && (one.price < other.price || one.approval > other.approval);
}

function lede(points: readonly ValuePoint[]): string {
  const beaten = points.filter(({ efficient }) => !efficient).map(({ name }) => name);
  const what =
    'The line joins the models that no other beats in both price and blind approval; bars are 95 % intervals.';
  if (points.length < 2) return what;
  if (!beaten.length) return `${what} None is beaten in both.`;
  return `${what} By the estimates, another model is both cheaper and liked better than ${list(beaten)}.`;
}

function columns(period: Period): Column<ModelStats>[] {
  const share = (end: 'value' | 'low' | 'high') => ({
    value: (model: ModelStats) => model[period].approval[end],
    text: (model: ModelStats) => percent(model[period].approval[end] ?? 0, 1),
  });
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    {
      key: 'cost_per_1000',
      name: 'Per 1,000 sayings',
      value: (model) => model[period].cost.per1000,
      text: (model) => dollars(model[period].cost.per1000),
    },
    { key: 'approval', name: 'Approval, blind', ...share('value') },
    { key: 'approval_low', name: '95 % from', ...share('low') },
    { key: 'approval_high', name: 'to', ...share('high') },
  ];
}
