/** Latency distributions in rows on one logarithmic scale, with their percentiles. */

import { dot, type Markish, rectY, ruleX, ruleY, text } from '@observablehq/plot';
import { duration } from '../../shared/words';
import { binText, callText, type LatencyRow, percentileText, timeTick, timeTicks } from '../rows/latency';
import { BELOW, type Drawing, draw, logPosition, spaced, xAxis } from './frame';

const ROW = 118;
/** The space above a row's bars for its text, which begins a little below the previous row. */
const WORDS = 66;
const FIRST_LINE = 14;
const SIDES = 18;
/** Below this width in pixels, there is no space for "p50" beside "p90", nor for many words beside a name. */
const TIGHT = 420;

export function distributionsHeight(rows: number): number {
  return rows * ROW + BELOW;
}

export interface Distributions {
  label: string;
  rows: readonly LatencyRow[];
  domain: { x: [number, number]; share: number };
}

export function drawDistributions({ label, rows, domain }: Distributions, width: number): Drawing {
  const ticks = timeTicks(domain.x);
  const labelled = spaced(ticks, logPosition(domain.x, width - 2 * SIDES));
  return draw(label, {
    width,
    height: distributionsHeight(rows.length),
    marginLeft: SIDES,
    marginRight: SIDES,
    x: { type: 'log', domain: domain.x, axis: null },
    y: { domain: [0, domain.share], axis: null, insetTop: WORDS },
    fy: { domain: rows.map((row) => row.name), axis: null, padding: 0 },
    marks: [
      ...xAxis({ label: 'time to the whole answer →', ticks: labelled, format: timeTick }),
      ...rows.flatMap((row) => [
        ruleX(ticks, { fy: () => row.name, y1: 0, y2: domain.share, stroke: 'var(--line)' }),
        ...histogram(row),
        ...percentiles(row, domain.share, width < TIGHT),
        ...words(row, width < TIGHT),
      ]),
    ],
  });
}

function histogram(row: LatencyRow): Markish[] {
  const bins = row.bins.map((bin) => ({ ...bin, name: row.name, title: binText(row, bin) }));
  const look = { fill: row.mark.colour, fillOpacity: 0.55, insetLeft: 0.5, insetRight: 0.5, title: 'title' } as const;
  return [
    rectY(bins, { fy: 'name', x1: 'low', x2: 'high', y: 'share', ...look }),
    ruleY([row], { fy: 'name', y: 0, stroke: 'var(--edge)' }),
  ];
}

function percentiles(row: LatencyRow, share: number, tight: boolean): Markish[] {
  const marks = row.percentiles.map(({ name, at }) => ({
    at,
    model: row.name,
    name: tight ? name.slice(1) : name,
    title: `${row.name}: ${name} ${duration(at)}`,
  }));
  const above = { frameAnchor: 'top', lineAnchor: 'bottom', dy: WORDS - 2 } as const;
  return [
    ruleX(marks, { fy: 'model', x: 'at', y1: 0, y2: share, stroke: 'var(--ink)', strokeWidth: 1.5, title: 'title' }),
    text(marks, { fy: 'model', x: 'at', text: 'name', ...above, fill: 'var(--ink)', fontSize: 12 }),
  ];
}

function words(row: LatencyRow, tight: boolean): Markish[] {
  const left = { fy: 'name', frameAnchor: 'top-left', lineAnchor: 'top' } as const;
  const right = { ...left, frameAnchor: 'top-right', textAnchor: 'end', dx: SIDES } as const;
  const soft = { fill: 'var(--soft)', fontSize: 13 } as const;
  const { shape, colour } = row.mark;
  return [
    dot([row], { ...left, dx: 7 - SIDES, dy: FIRST_LINE + 6, r: 5, symbol: shape, fill: colour }),
    text([row], { ...left, text: 'name', dx: 2, dy: FIRST_LINE, fill: 'var(--ink)', fontSize: 15, fontWeight: 600 }),
    text([row], { ...right, ...soft, text: (one: LatencyRow) => callText(one, tight), dy: FIRST_LINE + 1 }),
    text([row], { ...left, ...soft, text: percentileText, dx: 2, dy: FIRST_LINE + 20 }),
  ];
}
