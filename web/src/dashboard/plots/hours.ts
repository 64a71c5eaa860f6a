/** A day as 24 bars. The current hour is only outlined, because it still grows. */

import { axisY, gridY, rectY, ruleY, text } from '@observablehq/plot';
import { hourOfDay, whole } from '../figures';
import { type HourBar, peak } from '../rows/hours';
import { type Drawing, draw, xAxis } from './frame';

export const HOURS_HEIGHT = 220;

export interface Hours {
  label: string;
  bars: readonly HourBar[];
  colour: string;
}

export function drawHours({ label, bars, colour }: Hours, width: number): Drawing {
  const busiest = peak(bars);
  const most = busiest?.count ?? 0;
  const sides = { x1: 'start', x2: 'end', y: 'count', title: 'title', insetLeft: 1, insetRight: 1 } as const;
  // The ticks are whole numbers.
  const ticks = Math.min(3, most);
  return draw(label, {
    width,
    height: HOURS_HEIGHT,
    marginTop: 24,
    marginLeft: 12 + 8 * whole(most).length,
    marginRight: 14,
    x: { type: 'time', axis: null },
    y: { domain: [0, Math.max(3, most) * 1.05], axis: null },
    marks: [
      gridY({ ticks, stroke: 'var(--line)', strokeOpacity: 1 }),
      axisY({
        ticks,
        tickSize: 0,
        tickPadding: 8,
        label: null,
        fill: 'var(--soft)',
        tickFormat: (n: number) => whole(n),
      }),
      ...xAxis({ label: 'hour, local time →', ticks: wholeHours(bars), format: (at) => hourOfDay(at) }),
      rectY(
        bars.filter((bar) => !bar.soFar),
        { ...sides, fill: colour },
      ),
      rectY(
        bars.filter((bar) => bar.soFar),
        { ...sides, ...unfinished, fill: colour, stroke: colour },
      ),
      ruleY([0], { stroke: 'var(--edge)' }),
      ...(busiest ? [text([busiest], top)] : []),
    ],
  });
}

/** Midnight, 6:00, 12:00 and 18:00 in the visitor's time zone. */
function wholeHours(bars: readonly HourBar[]): Date[] {
  return bars.map((bar) => bar.start).filter((start) => start.getHours() % 6 === 0 && start.getMinutes() === 0);
}

const unfinished = { fillOpacity: 0.2, strokeDasharray: '3 3' } as const;

const top = {
  x: (bar: HourBar) => (bar.start.getTime() + bar.end.getTime()) / 2,
  y: 'count',
  text: (bar: HourBar) => whole(bar.count),
  dy: -9,
  fill: 'var(--ink)',
  fontSize: 13,
  fontWeight: 600,
} as const;
