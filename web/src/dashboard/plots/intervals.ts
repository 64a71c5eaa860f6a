/** Estimates with their intervals. Each row has a name, a remark, a bar, a value and a range. */

import { dot, type Markish, ruleY, text, tickX } from '@observablehq/plot';
import { said } from '../label';
import type { Axis, IntervalRow } from '../rows/intervals';
import { scaleTicks } from '../rows/intervals';
import { BELOW, type Drawing, draw, NARROW, xAxis } from './frame';

export interface IntervalPlot {
  label: string;
  rows: readonly IntervalRow[];
  axis: Axis;
}

/** Places in a row: `top` is the space for the text above the bar, `bar` the bar's distance below the middle. */
interface Layout {
  row: number;
  left: number;
  right: number;
  top: number;
  bar: number;
  lines: readonly [number, number];
}

const ICON = 20;
const ROOM_PER_TICK = 72;
const BESIDE: Layout = { row: 52, left: 252, right: 132, top: 0, bar: 0, lines: [-9, 10] };
const ABOVE: Layout = { row: 80, left: 22, right: 22, top: 52, bar: 25, lines: [-22, -3] };

export function intervalsHeight(rows: number, width: number): number {
  return rows * layout(width).row + BELOW;
}

function layout(width: number): Layout {
  return width < NARROW ? ABOVE : BESIDE;
}

export function drawIntervals({ label, rows, axis }: IntervalPlot, width: number): Drawing {
  const at = layout(width);
  const inner = width - at.left - at.right;
  const ticks = scaleTicks(axis, inner / ROOM_PER_TICK);
  return draw(label, {
    width,
    height: intervalsHeight(rows.length, width),
    marginLeft: at.left,
    marginRight: at.right,
    x: { domain: axis.domain, clamp: true, axis: null },
    y: { type: 'band', domain: rows.map((row) => row.name), axis: null, padding: 0 },
    marks: [
      grid(rows, ticks, 'var(--line)', at),
      ...(axis.reference === undefined ? [] : [grid(rows, [axis.reference], 'var(--edge)', at)]),
      ...xAxis({ label: axis.label, ticks, format: axis.format }),
      ...rows.flatMap((row) => [...bar(row, axis, at), ...words(row, width, at)]),
    ],
  });
}

/** Grid lines that do not cross the text. */
function grid(rows: readonly IntervalRow[], ticks: readonly number[], stroke: string, { top }: Layout): Markish {
  const crossings = rows.flatMap(({ name }) => ticks.map((tick) => ({ name, tick })));
  return tickX(crossings, { x: 'tick', y: 'name', stroke, insetTop: top && top + 2 });
}

/** Draws the interval as a bar and the value on it in the model's shape; a dotted line when there is no value. */
function bar(row: IntervalRow, axis: Axis, { bar: dy }: Layout): Markish[] {
  const { mark } = row;
  const at = { y: 'name', dy } as const;
  const track = ruleY([row], { ...at, stroke: 'var(--line)' });
  if (row.value === null) {
    if (row.low === null) return [track];
    const unknown = { stroke: mark.colour, strokeDasharray: '2 5', strokeWidth: 2 } as const;
    return [track, ruleY(ends(row, axis), { ...at, x1: 'low', x2: 'high', ...unknown })];
  }
  const look = { r: 6, symbol: mark.shape, fill: mark.colour, stroke: 'var(--card)', title: () => said(row) } as const;
  const value = dot([row], { ...at, x: 'value', ...look });
  return [track, reach(row, axis, at), value];
}

/** An interval without an upper end reaches to the edge of the plot. */
function ends(row: IntervalRow, axis: Axis) {
  return [{ name: row.name, low: row.low, high: row.high ?? axis.domain[1] }];
}

/** The ends of the bar: the interval of an estimate, or the length of a known amount. */
function reach(row: IntervalRow, axis: Axis, at: { y: 'name'; dy: number }): Markish {
  const stroke = row.mark.colour;
  if (row.low === null) return ruleY([row], { ...at, x1: axis.from ?? 0, x2: 'value', stroke, strokeWidth: 3 });
  const look = { stroke, strokeWidth: 10, strokeOpacity: 0.34, strokeLinecap: 'round' } as const;
  return ruleY(ends(row, axis), { ...at, x1: 'low', x2: 'high', ...look });
}

function words(row: IntervalRow, width: number, { left, right, lines, row: height }: Layout): Markish[] {
  const alone = height === BESIDE.row && !row.remark && !row.range;
  const [first, second] = alone ? [0, 0] : lines;
  const start = { y: 'name', frameAnchor: 'left', dx: ICON - left } as const;
  const end = { y: 'name', frameAnchor: 'right', textAnchor: 'end', dx: right } as const;
  const strong = { fill: 'var(--ink)', fontSize: 15, fontWeight: 600 } as const;
  const soft = { fill: 'var(--soft)', fontSize: 13 } as const;
  const known = row.value === null ? soft : strong;
  // In ems, because a service may have a long name.
  const room = { lineWidth: (width < NARROW ? width - 84 : left - 36) / 15, textOverflow: 'ellipsis' } as const;
  const { shape, colour } = row.mark;
  return [
    dot([row], { ...start, dx: 7 - left, dy: first, r: 5, symbol: shape, fill: colour }),
    text([row], { ...start, ...strong, ...room, text: 'name', dy: first }),
    text([row], {
      ...start,
      ...soft,
      text: () => (width < NARROW ? (row.brief ?? row.remark) : row.remark),
      dy: second,
    }),
    text([row], { ...end, ...known, text: 'text', dy: first }),
    text([row], { ...end, ...soft, text: 'range', dy: second }),
  ];
}
