/** The cost per thousand sayings, and per net upvote if every saying gets one vote. */

import type { Figures, ModelStats, StatsAnswer } from '../../api/types';
import { NEUTRAL } from '../../shared/marks';
import { count, dollars } from '../../shared/words';
import { percent, whole } from '../figures';
import { marksIn } from '../marks';
import { type Period, periodSheet } from '../period';
import type { Column, Sheet } from '../sheet';
import { NO_VOTES } from './approval';
import { type Axis, amountDomain, type IntervalRow, ranked } from './intervals';

export interface Cost {
  rows: IntervalRow[];
  axis: Axis;
  known: boolean;
  sheet: Sheet;
}

export function costPer1000(stats: StatsAnswer, period: Period): Cost {
  const rows = rowsOf(stats, (model) => {
    const { per1000 } = model[period].cost;
    const text = per1000 === null ? noCost(model[period]) : dollars(per1000);
    return { value: per1000, low: null, high: null, text, range: '' };
  });
  const table = periodSheet(stats, period, 'cost', 'Cost by model', columns(period), stats.models);
  return cost(rows, 'US dollars per 1,000 sayings →', table);
}

export function costPerNetUpvote(stats: StatsAnswer, period: Period): Cost {
  const rows = rowsOf(stats, (model) => {
    const { value, low, high } = model[period].cost.perNetUpvote;
    const text = value === null ? noNetUpvotes(model[period]) : dollars(value);
    return { value, low, high, text, range: dollarRange(low, high) };
  });
  const caption = 'Cost per net upvote by model';
  const table = periodSheet(stats, period, 'cost-per-net-upvote', caption, netColumns(period), stats.models);
  return cost(rows, 'US dollars per net upvote →', table);
}

/** "20,200 calls wrote 47,528 sayings for $31.66 in all." */
export function spending({ totals }: StatsAnswer): string {
  if (!totals.calls) return 'No model has been called yet.';
  const unpriced = totals.unpricedCalls
    ? ` ${count(totals.unpricedCalls, 'call')} of these had no known price and are not in it.`
    : '';
  const written = `${count(totals.calls, 'call')} wrote ${count(totals.sayings, 'saying')}`;
  return `${written} for ${dollars(totals.cost)} in all.${unpriced}`;
}

type Amounts = Pick<IntervalRow, 'value' | 'low' | 'high' | 'text' | 'range'>;

function rowsOf(stats: StatsAnswer, amounts: (model: ModelStats) => Amounts): IntervalRow[] {
  const marks = marksIn(stats);
  const rows = stats.models.map((model) => ({
    ...amounts(model),
    name: model.source,
    remark: '',
    mark: marks.get(model.model) ?? NEUTRAL,
  }));
  return ranked(rows, true);
}

function cost(rows: IntervalRow[], label: string, table: Sheet): Cost {
  return {
    rows,
    axis: { domain: amountDomain(rows), label, format: tick(rows), from: 0 },
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

/** Why a saying has no price. Comparisons are not in it, because their sayings are made for them alone. */
export function noCost({ answeredByKind: { round, live } }: Figures): string {
  const sum = (of: 'asked' | 'answered') => (round?.[of] ?? 0) + (live?.[of] ?? 0);
  if (!sum('asked')) return 'no calls';
  return sum('answered') ? 'not known' : 'no sayings';
}

export function noNetUpvotes(figures: Figures): string {
  if (figures.approval.value === null) return NO_VOTES[figures.votes.votes ? 1 : 0];
  if (figures.cost.per1000 === null) return noCost(figures);
  return 'no net upvotes';
}

/** "$0.0030–$0.0036"; "over $0.0030" when the model may have no net upvote at all. */
export function dollarRange(low: number | null, high: number | null): string {
  if (low === null) return '';
  return high === null ? `over ${dollars(low)}` : `${dollars(low)}–${dollars(high)}`;
}

type Figure = (figures: Figures) => number | null;

function moneyColumn(period: Period, key: string, name: string, value: Figure): Column<ModelStats> {
  return { key, name, value: (model) => value(model[period]), text: (model) => dollars(value(model[period])) };
}

function columns(period: Period): Column<ModelStats>[] {
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    moneyColumn(period, 'cost_per_1000', 'Per 1,000 sayings', ({ cost }) => cost.per1000),
    moneyColumn(period, 'cost_per_blind_win', 'Per comparison won', ({ cost }) => cost.perBlindWin),
    moneyColumn(period, 'cost', 'In all', ({ cost }) => cost.total),
    countColumn(period, 'input_tokens', 'Input tokens', ({ tokens }) => tokens.input),
    countColumn(period, 'output_tokens', 'Output tokens', ({ tokens }) => tokens.output),
    {
      key: 'refused',
      name: 'Refused by our filter',
      value: (model) => model[period].refused.count,
      text: (model) => refused(model[period]),
    },
  ];
}

function netColumns(period: Period): Column<ModelStats>[] {
  return [
    { key: 'model', name: 'Model', value: (model) => model.source },
    moneyColumn(period, 'cost_per_net_upvote', 'Per net upvote', ({ cost }) => cost.perNetUpvote.value),
    moneyColumn(period, 'cost_per_net_upvote_low', '95 % from', ({ cost }) => cost.perNetUpvote.low),
    moneyColumn(period, 'cost_per_net_upvote_high', 'to', ({ cost }) => cost.perNetUpvote.high),
    countColumn(period, 'votes', 'Blind votes', ({ votes }) => votes.votes),
    countColumn(period, 'upvotes', 'Thumbs up', ({ votes }) => votes.upvotes),
  ];
}

function countColumn(period: Period, key: string, name: string, value: (figures: Figures) => number) {
  const column: Column<ModelStats> = { key, name, value: (model) => value(model[period]) };
  return column;
}

/** "12 (2.1 %)": how many, and their share of all that the model wrote. */
function refused({ refused: { count: refusals, share } }: Figures): string {
  return share ? `${whole(refusals)} (${percent(share, 1)})` : whole(refusals);
}
