/** Price against approval: each model with its interval, and the line of those that no other beats in both. */

import { axisY, dot, gridX, gridY, line, ruleX, text } from '@observablehq/plot';
import { dollars } from '../../shared/words';
import { percent } from '../figures';
import type { ValuePlot, ValuePoint } from '../rows/value';
import { type Drawing, draw, logPosition, NARROW, spaced, xAxis } from './frame';

const HEIGHT = 340;
const LEFT = 48;
const RIGHT = 24;

export function valueHeight(): number {
  return HEIGHT;
}

export interface ValueDrawing extends Pick<ValuePlot, 'points' | 'domain'> {
  label: string;
}

export function drawValue({ label, points, domain }: ValueDrawing, width: number): Drawing {
  const inner = width - LEFT - RIGHT;
  const place = logPosition(domain.x, inner);
  const ticks = spaced(priceTicks(domain.x), place);
  const at = { x: 'price', y: 'approval' } as const;
  return draw(label, {
    width,
    height: HEIGHT,
    marginTop: 28,
    marginLeft: LEFT,
    marginRight: RIGHT,
    x: { type: 'log', domain: domain.x, axis: null },
    y: { domain: domain.y, axis: null },
    marks: [
      gridX(ticks, { stroke: 'var(--line)', strokeOpacity: 1 }),
      gridY({ ticks: 5, stroke: 'var(--line)', strokeOpacity: 1 }),
      axisY({
        ticks: 5,
        tickSize: 0,
        tickPadding: 8,
        label: null,
        fill: 'var(--soft)',
        tickFormat: (n: number) => percent(n),
      }),
      ...xAxis({ label: 'US dollars per 1,000 sayings →', ticks, format: dollars }),
      text(['↑ approval, blind'], {
        frameAnchor: 'top-left',
        lineAnchor: 'bottom',
        dx: -LEFT,
        dy: -12,
        text: (words: string) => words,
        fill: 'var(--soft)',
      }),
      line(
        points.filter(({ efficient }) => efficient),
        { ...at, stroke: 'var(--ink)', strokeWidth: 1.5, strokeDasharray: '1 4', strokeLinecap: 'round' },
      ),
      ...points.map((point) =>
        ruleX([point], {
          x: 'price',
          y1: (one: ValuePoint) => one.low ?? one.approval,
          y2: (one: ValuePoint) => one.high ?? one.approval,
          stroke: point.mark.colour,
          strokeWidth: 10,
          strokeOpacity: 0.34,
          strokeLinecap: 'round',
        }),
      ),
      ...points.map((point) => {
        const { colour, shape } = point.mark;
        return dot([point], { ...at, r: 7, symbol: shape, fill: colour, stroke: 'var(--card)', title: 'title' });
      }),
      ...points.map((point) => {
        const isLeft = place(point.price) < inner / 2;
        return text([point], {
          ...at,
          text: 'name',
          // Off the line, which rises from left to right.
          dx: isLeft ? 12 : -12,
          dy: isLeft ? 13 : -13,
          textAnchor: isLeft ? 'start' : 'end',
          stroke: 'var(--card)',
          strokeWidth: 4,
          fill: 'var(--ink)',
          fontSize: width < NARROW ? 13 : 15,
          fontWeight: 600,
        });
      }),
    ],
  });
}

/** 1, 2 and 5 times each power of ten within the domain. */
function priceTicks([low, high]: [number, number]): number[] {
  const powers = Array.from({ length: 9 }, (_, power) => 10 ** (power - 5));
  return powers
    .flatMap((power) => [power, 2 * power, 5 * power])
    .map((tick) => Number(tick.toPrecision(1)))
    .filter((tick) => tick >= low && tick <= high);
}
