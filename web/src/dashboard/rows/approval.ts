/** Approval by model: the share of thumbs up among the votes that were given before the author was shown. */

import type { CollectionStats, Figures, ModelStats, StatsAnswer } from '../../api/types';
import { type Mark, NEUTRAL } from '../../shared/marks';
import { count } from '../../shared/words';
import { about, percent, whole } from '../figures';
import { marksIn } from '../marks';
import { during, type Period, periodSheet } from '../period';
import { farewell, isRetired, ranking } from '../retired';
import type { Column, Sheet } from '../sheet';
import { type Axis, estimateRow, type IntervalRow, ranked, shareDomain } from './intervals';

export interface Approval {
  rows: IntervalRow[];
  axis: Axis;
  /** Which votes the shares leave out, and where one has more of them; empty when there are none. */
  others: string;
  sheet: Sheet;
}

export const NO_VOTES = ['no votes', 'too few votes'] as const;

export function approval(stats: StatsAnswer, period: Period): Approval {
  const marks = marksIn(stats);
  const rowsOf = (models: readonly ModelStats[]) =>
    ranked(models.map((model) => modelRow(model, period, marks.get(model.model) ?? NEUTRAL)));
  const retired = stats.models.filter(isRetired);
  const rows = [...rowsOf(ranking(stats.models)), ...rowsOf(retired), ...collectionRow(stats.collection)];
  return {
    rows,
    axis: { domain: shareDomain(rows), label: 'share of thumbs up →', format: percent },
    others: others(stats, period),
    sheet: approvalSheet(stats, period),
  };
}

function modelRow(model: ModelStats, period: Period, mark: Mark): IntervalRow {
  const { approval, votes } = model[period];
  const remark = isRetired(model) ? farewell(model) : period === 'recent' ? verdict(model) : basis(model);
  const brief = isRetired(model) ? 'retired' : period === 'recent' ? verdict(model, 'too close') : remark;
  return { ...estimateRow(approval, votes.votes, NO_VOTES), name: model.source, remark, brief, mark };
}

function collectionRow({ votes, approval }: CollectionStats): IntervalRow[] {
  if (!votes.votes) return [];
  const remark = 'written by people';
  return [{ ...estimateRow(approval, votes.votes, NO_VOTES), name: 'The collection', remark, mark: NEUTRAL }];
}

/** "leads", "too close to call: ~340 more votes", "37 votes, 83 more needed". */
export function verdict(model: ModelStats, brief = ''): string {
  const { verdict, votesNeeded, recent } = model;
  if (verdict === 'too few votes') return recent.approval.value === null ? missing(model) : 'waits for the others';
  if (verdict === 'within 3 points') return 'no more than 3 points apart';
  if (verdict !== 'too close to call' || !votesNeeded) return verdict ?? '';
  return brief ? `${brief}: ~${about(votesNeeded)} more` : `${verdict}: ~${about(votesNeeded)} more votes`;
}

function missing(model: ModelStats): string {
  const { votesNeeded, recent } = model;
  // With enough votes, it waits for more voters or for votes on more of its sayings.
  return votesNeeded ? `${count(recent.votes.votes, 'vote')}, ${whole(votesNeeded)} more needed` : basis(model);
}

/** How many people the figures of a model rest on, and how many sayings. */
function basis({ voters, sayings }: ModelStats): string {
  return `${count(voters, 'voter')}, ${count(sayings, 'saying')}`;
}

function others(stats: StatsAnswer, period: Period): string {
  const sum = (votes: (figures: Figures) => number) =>
    stats.models.reduce((total, model) => total + votes(model[period]), 0);
  const parts = [
    [sum(({ named }) => named.votes), 'under the author’s name'],
    [sum(({ open }) => open.votes), 'on sayings whose author is always shown'],
    [sum(({ unverified }) => unverified), 'unverified'],
    [sum(({ setAside }) => setAside), 'set aside'],
  ] as const;
  const said = parts.filter(([votes]) => votes > 0).map(([votes, what]) => `${whole(votes)} ${what}`);
  const left = said.length ? `Not counted here are votes ${during(stats, period)}: ${said.join(', ')}.` : '';
  const collection = 'The collection’s share is of all time, with and without its name.';
  return [left, stats.collection.votes.votes ? collection : ''].filter(Boolean).join(' ');
}

/** A model over a period, or the collection, of which less is known. */
interface Entry {
  name: string;
  model: ModelStats | null;
  serves: number;
  figures: Pick<Figures, 'votes' | 'approval'> & Partial<Figures>;
}

const COLUMNS: readonly Column<Entry>[] = [
  { key: 'model', name: 'Model', value: ({ name }) => name },
  { ...shareColumn('approval', 'Approval', 'value'), none: ({ figures }) => NO_VOTES[figures.votes.votes ? 1 : 0] },
  shareColumn('approval_low', '95 % from', 'low'),
  shareColumn('approval_high', 'to', 'high'),
  { key: 'verdict', name: 'Verdict', value: ({ model }) => model?.verdict ?? null },
  { key: 'votes_needed', name: 'Votes needed', value: ({ model }) => model?.votesNeeded ?? null },
  { key: 'votes', name: 'Blind votes', value: ({ figures }) => figures.votes.votes },
  { key: 'upvotes', name: 'Thumbs up', value: ({ figures }) => figures.votes.upvotes },
  { key: 'voters', name: 'Voters, all time', value: ({ model }) => model?.voters ?? null },
  { key: 'sayings', name: 'Sayings, all time', value: ({ model }) => model?.sayings ?? null },
  {
    key: 'design_effect',
    name: 'Design effect',
    value: ({ figures }) => figures.designEffect ?? null,
    text: ({ figures }) => (figures.designEffect ?? 0).toFixed(1),
  },
  { key: 'open_votes', name: 'Author always shown', value: ({ figures }) => figures.open?.votes ?? null },
  { key: 'unverified_votes', name: 'Unverified', value: ({ figures }) => figures.unverified ?? null },
  { key: 'votes_set_aside', name: 'Set aside', value: ({ figures }) => figures.setAside ?? null },
  { key: 'serves', name: 'Times shown, all time', value: ({ serves }) => serves },
  { key: 'retired_on', name: 'Retired on', value: ({ model }) => model?.leftOn ?? null },
];

function shareColumn(key: string, name: string, part: 'value' | 'low' | 'high'): Column<Entry> {
  const value = ({ figures }: Entry) => (figures.votes.votes ? figures.approval[part] : null);
  return { key, name, value, text: (entry) => percent(value(entry) ?? 0, 1) };
}

function approvalSheet(stats: StatsAnswer, period: Period): Sheet {
  const entries: Entry[] = stats.models.map((model) => ({
    name: model.source,
    model,
    serves: model.serves,
    figures: model[period],
  }));
  const { collection } = stats;
  if (collection.votes.votes) {
    entries.push({ name: 'The collection', model: null, serves: collection.serves, figures: collection });
  }
  return periodSheet(stats, period, 'approval', 'Approval by model', COLUMNS, entries);
}
