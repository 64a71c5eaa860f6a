/** Approval day by day, as the share of a week up to each day, and the days on which something about a model changed. */

import type { Change, DayStats, ModelStats, StatsAnswer } from '../../api/types';
import { dayAndMonth, percent } from '../figures';
import { type Mark, marksOf, NEUTRAL } from '../marks';
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
  const marks = marksOf(stats);
  const rows = stats.models.map((model) => ({
    name: model.source,
    mark: marks.get(model.model) ?? NEUTRAL,
    points: weeks(model.days).flatMap(point),
    changes: model.marks.map((change) => ({ day: new Date(change.day), title: told(change, stats.models) })),
  }));
  const shares = rows.flatMap((row) => row.points.map(({ share }) => ({ value: share, low: null, high: null })));
  const last = new Date(stats.generatedAt.slice(0, 10));
  return {
    rows,
    domain: { x: [new Date(last.getTime() - (stats.recentDays - 1) * DAY_MS), last], y: shareDomain(shares) },
    known: shares.length > 0,
    changes: changes(stats.models),
    sheet: sheet('approval-by-day', 'Approval by model and day', COLUMNS, stats.models.flatMap(entries)),
  };
}

interface Week extends DayStats {
  /** The votes of the seven days that end with this one. */
  week: { votes: number; upvotes: number };
}

/** Each day with the week that ends with it. Days without votes may be missing. */
function weeks(days: readonly DayStats[]): Week[] {
  return days.map((last) => {
    const first = Date.parse(last.day) - (WEEK - 1) * DAY_MS;
    const within = days.filter(({ day }) => day <= last.day && Date.parse(day) >= first);
    const sum = (of: 'votes' | 'upvotes') => within.reduce((total, one) => total + one[of], 0);
    return { ...last, week: { votes: sum('votes'), upvotes: sum('upvotes') } };
  });
}

function shareOf({ week: { votes, upvotes } }: Week): number | null {
  return votes < LEAST_VOTES ? null : upvotes / votes;
}

function point(one: Week): DayPoint[] {
  const share = shareOf(one);
  if (share === null) return [];
  const title = `${percent(share)} of ${one.week.votes} votes in the week to ${dayAndMonth(one.day)}`;
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

interface Entry extends Week {
  model: string;
}

function entries({ source, days }: ModelStats): Entry[] {
  return weeks(days).map((week) => ({ ...week, model: source }));
}

const COLUMNS: readonly Column<Entry>[] = [
  { key: 'model', name: 'Model', value: (one) => one.model },
  { key: 'day', name: 'Day', value: (one) => one.day },
  { key: 'votes', name: 'Blind votes', value: (one) => one.votes },
  { key: 'upvotes', name: 'Thumbs up', value: (one) => one.upvotes },
  { key: 'votes_of_week', name: 'Votes of the week', value: (one) => one.week.votes },
  {
    key: 'approval_of_week',
    name: 'Approval of the week',
    value: shareOf,
    text: (one) => percent(shareOf(one) ?? 0, 1),
    none: () => 'too few votes',
  },
];
