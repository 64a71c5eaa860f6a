/** The cost per thousand sayings and per net upvote. */

import type { ModelStats, StatsAnswer } from '../../api/types';
import { count, dollars } from '../../shared/words';
import { percent, whole } from '../figures';
import { marksOf, NEUTRAL } from '../marks';
import { type Column, type Sheet, sheet } from '../sheet';
import { type Axis, amountDomain, type IntervalRow, ranked } from './intervals';

export interface Cost {
  rows: IntervalRow[];
  axis: Axis;
  known: boolean;
  sheet: Sheet;
}

export function costPer1000(stats: StatsAnswer): Cost {
  const rows = rowsOf(stats, (model) => ({
    value: model.costPer1000,
    low: null,
    high: null,
    text: model.costPer1000 === null ? noCost(model) : dollars(model.costPer1000),
    range: '',
  }));
  return cost(rows, 'US dollars per 1,000 sayings →', sheet('cost', 'Cost by model', COLUMNS, stats.models));
}

export function costPerNetUpvote(stats: StatsAnswer): Cost {
  const rows = rowsOf(stats, (model) => {
    const { low, high } = model.costPerNetUpvoteInterval;
    const text = model.costPerNetUpvote === null ? noNetUpvotes(model) : dollars(model.costPerNetUpvote);
    return { value: model.costPerNetUpvote, low, high, text, range: dollarRange(low, high) };
  });
  const table = sheet('cost-per-net-upvote', 'Cost per net upvote by model', NET_COLUMNS, stats.models);
  return cost(rows, 'US dollars per net upvote →', table);
}

/** "20,200 calls wrote 47,528 sayings for $31.66." */
export function spending({ totals }: StatsAnswer): string {
  if (!totals.calls) return 'No model has been called yet.';
  const unpriced = totals.unpricedCalls
    ? ` ${count(totals.unpricedCalls, 'call')} of these had no known price and are not in it.`
    : '';
  const written = `${count(totals.calls, 'call')} wrote ${count(totals.sayings, 'saying')}`;
  return `${written} for ${dollars(totals.cost)}.${unpriced}`;
}

type Figures = Pick<IntervalRow, 'value' | 'low' | 'high' | 'text' | 'range'>;

function rowsOf(stats: StatsAnswer, figures: (model: ModelStats) => Figures): IntervalRow[] {
  const marks = marksOf(stats);
  const rows = stats.models.map((model) => ({
    ...figures(model),
    name: model.source,
    remark: '',
    mark: marks.get(model.model) ?? NEUTRAL,
    raw: null,
  }));
  return ranked(rows, true);
}

function cost(rows: IntervalRow[], label: string, table: Sheet): Cost {
  return {
    rows,
    axis: { type: 'linear', domain: amountDomain(rows), label, format: tick(rows), from: 0 },
    known: rows.some((row) => row.value !== null),
    sheet: table,
  };
}

/** "$0.0050", "$1.50", with the same number of decimals on the whole axis. */
function tick(rows: readonly IntervalRow[]): (amount: number) => string {
  const [, high] = amountDomain(rows);
  const digits = high >= 0.5 ? 2 : 1 - Math.floor(Math.log10(high));
  return (amount) => (amount === 0 ? '$0' : `$${amount.toFixed(digits)}`);
}

function noCost(model: ModelStats): string {
  if (!model.tokens.input && !model.tokens.output) return 'no calls yet';
  return model.cost === null || model.cost > 0 ? 'price not known' : 'no sayings yet';
}

function noNetUpvotes(model: ModelStats): string {
  if (model.approval.value === null) return model.votes ? 'too few votes' : 'no votes';
  if (model.costPer1000 === null) return noCost(model);
  return 'no net upvotes';
}

/** "$0.0030–$0.0036"; "over $0.0030" when the model may have no net upvote at all. */
export function dollarRange(low: number | null, high: number | null): string {
  if (low === null) return '';
  return high === null ? `over ${dollars(low)}` : `${dollars(low)}–${dollars(high)}`;
}

const COLUMNS: readonly Column<ModelStats>[] = [
  { key: 'model', name: 'Model', value: (model) => model.source },
  moneyColumn('cost_per_1000', 'Per 1,000 sayings', (model) => model.costPer1000),
  moneyColumn('cost', 'In all', (model) => model.cost),
  { key: 'input_tokens', name: 'Input tokens', value: (model) => model.tokens.input, text: tokens('input') },
  { key: 'output_tokens', name: 'Output tokens', value: (model) => model.tokens.output, text: tokens('output') },
  { key: 'refused', name: 'Refused by our filter', value: (model) => model.refused.count, text: refused },
];

const NET_COLUMNS: readonly Column<ModelStats>[] = [
  { key: 'model', name: 'Model', value: (model) => model.source },
  moneyColumn('cost_per_net_upvote', 'Per net upvote', (model) => model.costPerNetUpvote),
  moneyColumn('cost_per_net_upvote_low', '95 % from', (model) => model.costPerNetUpvoteInterval.low),
  moneyColumn('cost_per_net_upvote_high', 'to', (model) => model.costPerNetUpvoteInterval.high),
  { key: 'upvotes', name: 'Up', value: (model) => model.upvotes },
  { key: 'downvotes', name: 'Down', value: (model) => model.downvotes },
];

function moneyColumn(key: string, name: string, value: (model: ModelStats) => number | null): Column<ModelStats> {
  return { key, name, value, text: (model) => dollars(value(model)) };
}

/** "12 (2.1 %)": how many, and their share of all that the model wrote. */
function refused({ refused: { count: refusals, share } }: ModelStats): string {
  return share ? `${whole(refusals)} (${percent(share, 1)})` : whole(refusals);
}

function tokens(part: 'input' | 'output'): (model: ModelStats) => string {
  return (model) => whole(model.tokens[part]);
}
