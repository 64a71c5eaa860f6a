/** Approval by model: the share of upvotes, the leader, and the share with the bursts included. */

import type { Interval, ModelStats, StatsAnswer } from '../../api/types';
import { count } from '../../shared/words';
import { about, decimals, percent, percentRange, whole } from '../figures';
import { type Mark, marksOf, NEUTRAL } from '../marks';
import { farewell, isRetired, ranking } from '../retired';
import { type Column, type Sheet, sheet } from '../sheet';
import { type Axis, type IntervalRow, ranked, shareDomain } from './intervals';

export interface Approval {
  rows: IntervalRow[];
  axis: Axis;
  /** The leader's interval. A model whose interval reaches into it may be as good. */
  band: { low: number; high: number; colour: string } | null;
  /** A sentence about the votes that were set aside; empty when none were. */
  bursts: string;
  sheet: Sheet;
}

export function approval(stats: StatsAnswer): Approval {
  const marks = marksOf(stats);
  const rowsOf = (models: readonly ModelStats[]) =>
    ranked(models.map((model) => modelRow(model, marks.get(model.model) ?? NEUTRAL)));
  const models = rowsOf(ranking(stats.models));
  const rows = [...models, ...rowsOf(stats.models.filter(isRetired)), ...collectionRow(stats)];
  return {
    rows,
    axis: { type: 'linear', domain: shareDomain(rows), label: 'share of upvotes →', format: percent },
    band: leaderBand(stats, models),
    bursts: bursts(stats),
    sheet: approvalSheet(stats),
  };
}

/** There is no leader before two models have enough votes. */
function leaderBand(stats: StatsAnswer, rows: readonly IntervalRow[]): Approval['band'] {
  if (!stats.models.some((model) => model.verdict === 'leads' || model.verdict === 'too close to call')) return null;
  const [first] = rows;
  if (!first || first.low === null || first.high === null) return null;
  return { low: first.low, high: first.high, colour: first.mark.colour };
}

function modelRow(model: ModelStats, mark: Mark): IntervalRow {
  const set = model.raw.votes !== model.votes && model.raw.votes > 0 && model.approval.value !== null;
  return {
    ...estimateRow(model.approval, model.votes),
    name: model.source,
    remark: isRetired(model) ? farewell(model) : verdict(model),
    brief: isRetired(model) ? 'retired' : verdict(model, 'too close'),
    mark,
    raw: set ? model.raw.upvotes / model.raw.votes : null,
  };
}

function collectionRow({ collection }: StatsAnswer): IntervalRow[] {
  if (!collection.votes) return [];
  const remark = 'written by people';
  const row = estimateRow(collection.approval, collection.votes);
  return [{ ...row, name: 'The collection', remark, mark: NEUTRAL, raw: null }];
}

type Estimated = Pick<IntervalRow, 'value' | 'low' | 'high' | 'text' | 'range'>;

/** Without votes the interval is the whole range and not worth drawing. */
export function estimateRow(
  { value, low, high }: Interval,
  votes: number,
  digits = decimals({ low, high }),
): Estimated {
  if (!votes) return { value: null, low: null, high: null, text: 'no votes', range: '' };
  if (value === null) return { value, low, high, text: 'too few votes', range: '' };
  return { value, low, high, text: percent(value, digits), range: percentRange({ low, high }, digits) };
}

/** "leads", "too close to call: ~340 more votes", "37 votes, 83 more needed". */
export function verdict({ verdict, votes, votesNeeded, approval }: ModelStats, brief = ''): string {
  if (verdict === 'too few votes') {
    if (approval.value !== null) return 'waits for the others';
    return votesNeeded === null ? count(votes, 'vote') : `${count(votes, 'vote')}, ${whole(votesNeeded)} more needed`;
  }
  if (verdict !== 'too close to call' || !votesNeeded) return verdict ?? '';
  return brief ? `${brief}: ~${about(votesNeeded)} more` : `${verdict}: ~${about(votesNeeded)} more votes`;
}

function bursts({ totals }: StatsAnswer): string {
  const aside = totals.raw.votes - totals.filtered.votes;
  if (aside <= 0) return '';
  const were = aside === 1 ? 'was' : 'were';
  return (
    `${whole(aside)} of ${count(totals.raw.votes, 'vote')} ${were} set aside because they came in bursts: ` +
    `more than ${whole(totals.burstVotes)} in an hour from one address. A hollow mark shows the share with them.`
  );
}

/** A model, or the collection, which has no verdict and no separate count of bursts. */
type Entry = Pick<
  ModelStats,
  'source' | 'votes' | 'upvotes' | 'downvotes' | 'serves' | 'approval' | 'votesNeeded' | 'verdict' | 'leftOn'
> & { raw: ModelStats['raw'] | null };

const COLUMNS: readonly Column<Entry>[] = [
  { key: 'model', name: 'Model', value: (entry) => entry.source },
  shareColumn('approval', 'Approval', (entry) => entry.approval.value),
  shareColumn('approval_low', '95 % from', (entry) => (entry.votes ? entry.approval.low : null)),
  shareColumn('approval_high', 'to', (entry) => (entry.votes ? entry.approval.high : null)),
  { key: 'verdict', name: 'Verdict', value: (entry) => entry.verdict },
  { key: 'votes_needed', name: 'Votes needed', value: (entry) => entry.votesNeeded },
  { key: 'votes', name: 'Votes', value: (entry) => entry.votes },
  { key: 'upvotes', name: 'Up', value: (entry) => entry.upvotes },
  { key: 'downvotes', name: 'Down', value: (entry) => entry.downvotes },
  { key: 'raw_votes', name: 'Votes with bursts', value: (entry) => entry.raw?.votes ?? null },
  shareColumn('raw_approval', 'Approval with bursts', rawApproval),
  { key: 'serves', name: 'Times shown', value: (entry) => entry.serves },
  { key: 'retired_on', name: 'Retired on', value: (entry) => entry.leftOn },
];

function shareColumn(key: string, name: string, value: (entry: Entry) => number | null): Column<Entry> {
  return { key, name, value, text: (entry) => percent(value(entry) ?? 0, 1) };
}

/** Like the filtered approval, it is shown only from enough votes on. */
function rawApproval({ raw, approval }: Entry): number | null {
  return raw === null || approval.value === null ? null : raw.upvotes / raw.votes;
}

function approvalSheet({ models, collection }: StatsAnswer): Sheet {
  const reference = {
    ...collection,
    source: 'The collection',
    raw: null,
    verdict: null,
    votesNeeded: null,
    leftOn: null,
  };
  return sheet('approval', 'Approval by model', COLUMNS, collection.votes ? [...models, reference] : models);
}
