/** Approval day by day: a line for each model, one below the other on the same scales, and what changed on the way. */

import { axisY, dot, gridY, lineY, type Markish, ruleX, text } from '@observablehq/plot';
import { dayAndMonth, percent } from '../figures';
import type { DayRow, Days } from '../rows/days';
import { BELOW, type Drawing, draw, xAxis } from './frame';

const ROW = 118;
/** The space above a row's line for its name. */
const WORDS = 34;
const LEFT = 46;
const RIGHT = 26;
const DAY_MS = 86_400_000;

export function daysHeight(rows: number): number {
  return rows * ROW + BELOW;
}

export interface DaysPlot extends Pick<Days, 'rows' | 'domain'> {
  label: string;
}

export function drawDays({ label, rows, domain }: DaysPlot, width: number): Drawing {
  const ticks = 2;
  return draw(label, {
    width,
    height: daysHeight(rows.length),
    marginLeft: LEFT,
    marginRight: RIGHT,
    x: { type: 'utc', domain: domain.x, axis: null },
    y: { domain: domain.y, axis: null, insetTop: WORDS, insetBottom: 6 },
    fy: { domain: rows.map((row) => row.name), axis: null, padding: 0 },
    marks: [
      gridY({ ticks, stroke: 'var(--line)', strokeOpacity: 1 }),
      axisY({
        ticks,
        tickSize: 0,
        tickPadding: 8,
        label: null,
        fill: 'var(--soft)',
        tickFormat: (share: number) => percent(share),
      }),
      ...xAxis({ label: 'the week up to this day →', ticks: weekly(domain.x), format: (day) => dayAndMonth(day) }),
      ...rows.flatMap(line),
    ],
  });
}

/** The last day, and every seventh before it. */
function weekly([first, last]: [Date, Date]): Date[] {
  const weeks = Math.floor((last.getTime() - first.getTime()) / (7 * DAY_MS));
  return Array.from({ length: weeks + 1 }, (_, ago) => new Date(last.getTime() - ago * 7 * DAY_MS));
}

function line({ name, mark, points, changes }: DayRow): Markish[] {
  const at = { fy: () => name, x: 'day' } as const;
  const corner = { fy: () => name, frameAnchor: 'top-left', lineAnchor: 'top' } as const;
  const { colour, shape } = mark;
  return [
    ruleX(changes, { ...at, stroke: 'var(--ink)', strokeDasharray: '3 3', insetTop: WORDS - 6, title: 'title' }),
    lineY(points, { ...at, y: 'share', stroke: colour, strokeWidth: 2 }),
    dot(points, { ...at, y: 'share', r: 3, symbol: shape, fill: colour, title: 'title' }),
    dot([name], { ...corner, dx: 7 - LEFT, dy: 14, r: 5, symbol: shape, fill: colour }),
    text([name], {
      ...corner,
      text: () => name,
      dx: 20 - LEFT,
      dy: 6,
      fill: 'var(--ink)',
      fontSize: 15,
      fontWeight: 600,
    }),
    ...(points.length ? [] : [text([name], { ...corner, text: () => 'too few votes', dy: 58, fill: 'var(--soft)' })]),
  ];
}
