/** Approval day by day, as the share of a week up to each day, and the days on which something about a model changed. */

import type { Change, DayStats, ModelStats, StatsAnswer, VoteCounts } from '../../api/types';
import { type Mark, NEUTRAL } from '../../shared/marks';
import { dayAndMonth, percent } from '../figures';
import { marksIn } from '../marks';
import { type Column, type Sheet, sheet } from '../sheet';
import { shareDomain } from './intervals';

export interface DayPoint {
  day: Date;
  share: number;
  title: string;
}

export interface DayRow {
  name: string;
  mark: Mark;
  points: DayPoint[];
  changes: { day: Date; title: string }[];
}

export interface Days {
  rows: DayRow[];
  /** The first and the last day, and the range of the shares. */
  domain: { x: [Date, Date]; y: [number, number] };
  known: boolean;
  /** What changed, in sentences, the latest first. */
  changes: string[];
  sheet: Sheet;
}

const DAY_MS = 86_400_000;
const WEEK = 7;
// With fewer votes, chance moves a share by 18 points and more.
const LEAST_VOTES = 30;

export function days(stats: StatsAnswer): Days {
  const marks = marksIn(stats);
  const last = new Date(stats.generatedAt.slice(0, 10));
  // The statistics begin with this day, so that the weeks to the days before it are not known in full.
  const first = new Date(last.getTime() - (stats.recentDays - WEEK) * DAY_MS);
  const rows = stats.models.map((model) => ({
    name: model.source,
    mark: marks.get(model.model) ?? NEUTRAL,
    points: weeks(model.days, first).flatMap((week) => point(model.source, week)),
    changes: model.marks
      .map((change) => ({
        day: new Date(change.day),
        title: `${dayAndMonth(change.day)}: ${model.source} ${told(change, stats.models)}`,
      }))
      .filter(({ day }) => day >= first),
  }));
  const shares = rows.flatMap((row) => row.points.map(({ share }) => ({ value: share, low: null, high: null })));
  const entries = stats.models.flatMap(({ source, days }) =>
    weeks(days, first).map((week) => ({ ...week, model: source })),
  );
  return {
    rows,
    domain: { x: [first, last], y: shareDomain(shares) },
    known: shares.length > 0,
    changes: changes(stats.models),
    sheet: sheet('approval-by-day', 'Approval by model and day', COLUMNS, entries),
  };
}

interface Week extends DayStats {
  /** The votes of the seven days that end with this one; null when some of these days are too long ago. */
  week: VoteCounts | null;
}

/** Each day with the week that ends with it, from the first whole one on. Days without votes may be missing. */
function weeks(days: readonly DayStats[], first: Date): Week[] {
  return days.map((last) => {
    const end = new Date(last.day);
    const start = new Date(end.getTime() - (WEEK - 1) * DAY_MS);
    const within = days.filter(({ day }) => new Date(day) >= start && new Date(day) <= end);
    const sum = (of: 'votes' | 'upvotes') => within.reduce((total, one) => total + one[of], 0);
    return { ...last, week: end < first ? null : { votes: sum('votes'), upvotes: sum('upvotes') } };
  });
}

function shareOf({ week }: Week): number | null {
  return week === null || week.votes < LEAST_VOTES ? null : week.upvotes / week.votes;
}

function point(name: string, one: Week): DayPoint[] {
  const share = shareOf(one);
  if (share === null) return [];
  const title = `${name}: ${percent(share)} of ${one.week?.votes} votes in the week to ${dayAndMonth(one.day)}`;
  return [{ day: new Date(one.day), share, title }];
}

function changes(models: readonly ModelStats[]): string[] {
  return models
    .flatMap(({ source, marks }) => marks.map((change) => ({ source, change })))
    .toSorted((a, b) => b.change.day.localeCompare(a.change.day))
    .map(({ source, change }) => `${dayAndMonth(change.day)}: ${source} ${told(change, models)}.`);
}

/** "has a new prompt (v3)", "has a new snapshot (gpt-4.1-2025-04-14)", "left, and GPT-5 follows". */
function told({ change, value }: Change, models: readonly ModelStats[]): string {
  if (change !== 'left') return `has a new ${change}${value ? ` (${value})` : ''}`;
  const follower = models.find(({ model }) => model === value);
  return follower ? `left, and ${follower.source} follows` : 'left';
}

type Entry = Week & { model: string };

const COLUMNS: readonly Column<Entry>[] = [
  { key: 'model', name: 'Model', value: (one) => one.model },
  { key: 'day', name: 'Day', value: (one) => one.day },
  { key: 'votes', name: 'Blind votes', value: (one) => one.votes },
  { key: 'upvotes', name: 'Thumbs up', value: (one) => one.upvotes },
  { key: 'votes_of_week', name: 'Votes of the week', value: ({ week }) => week?.votes ?? null },
  {
    key: 'approval_of_week',
    name: 'Approval of the week',
    value: shareOf,
    text: (one) => percent(shareOf(one) ?? 0, 1),
    none: ({ week }) => (week ? 'too few votes' : '–'),
  },
];
