/** What all plots have in common: the type, the axis below, and that a document without inline styles may hold them. */

import { type Markish, type PlotOptions, plot, text } from '@observablehq/plot';

export type Drawing = SVGSVGElement;

/** Narrower, names and figures stand above what is drawn instead of beside it. */
export const NARROW = 560;
/** What the axis takes below. */
export const BELOW = 48;

/** Draws it, named for who cannot see it. */
export function draw(label: string, options: PlotOptions): Drawing {
  const drawing = plot({
    className: 'plot',
    ariaLabel: label,
    marginTop: 0,
    marginBottom: BELOW,
    ...options,
  }) as Drawing;
  // The page's policy refuses style elements; dashboard.css says what this one would.
  for (const style of drawing.querySelectorAll('style')) style.remove();
  // To a reader the drawing is one image; the names of its parts are Plot's, not ours.
  for (const part of drawing.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  drawing.setAttribute('role', 'img');
  return drawing;
}

interface XAxis {
  label: string;
  ticks: readonly (number | Date)[];
  format: (value: number) => string;
}

/** The axis below: words only, what is drawn has its own grid. */
export function xAxis({ label, ticks, format }: XAxis): Markish[] {
  const below = { facetAnchor: 'bottom', lineAnchor: 'top', fill: 'var(--soft)' } as const;
  return [
    text(ticks, { ...below, x: (tick) => tick, frameAnchor: 'bottom', dy: 9, text: (tick) => format(Number(tick)) }),
    text([label], { ...below, text: (words) => words, frameAnchor: 'bottom-right', dx: 6, dy: 28 }),
  ];
}

/** Those of the ticks, in order, that leave each other room for their words. */
export function spaced(ticks: readonly number[], position: (tick: number) => number, apart = 58): number[] {
  const kept: number[] = [];
  for (const tick of ticks) {
    const last = kept.at(-1);
    if (last === undefined || Math.abs(position(tick) - position(last)) >= apart) kept.push(tick);
  }
  return kept;
}

/** How many pixels into a logarithmic axis so wide a value lies. */
export function logPosition([low, high]: [number, number], width: number): (value: number) => number {
  return (value) => (Math.log(value / low) / Math.log(high / low)) * width;
}
