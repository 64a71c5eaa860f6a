/** The parts that all plots share: the font, the axis below, and the removal of inline styles. */

import { type Markish, type PlotOptions, plot, text } from '@observablehq/plot';

export type Drawing = SVGSVGElement;

/** Below this width in pixels, names and figures are above the bars instead of beside them. */
export const NARROW = 560;
/** The height of the axis in pixels. */
export const BELOW = 48;

/** Draws a plot with a label for screen readers. */
export function draw(label: string, options: PlotOptions): Drawing {
  const drawing = plot({
    className: 'plot',
    ariaLabel: label,
    marginTop: 0,
    marginBottom: BELOW,
    ...options,
  }) as Drawing;
  // The page's policy forbids style elements. dashboard.css has the rules of this one.
  for (const style of drawing.querySelectorAll('style')) style.remove();
  // Screen readers get one image with our label, without Plot's labels for its parts.
  for (const part of drawing.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  drawing.setAttribute('role', 'img');
  keepTips(drawing);
  return drawing;
}

/** Keeps the title of each part as its `data-tip`, because browsers show titles late, and to the pointer alone. */
function keepTips(drawing: Drawing): void {
  for (const title of drawing.querySelectorAll('title')) {
    title.parentElement?.setAttribute('data-tip', title.textContent ?? '');
    title.remove();
  }
}

interface XAxis {
  label: string;
  ticks: readonly (number | Date)[];
  format: (value: number) => string;
}

/** The axis below has labels only, because every plot draws its own grid. */
export function xAxis({ label, ticks, format }: XAxis): Markish[] {
  const below = { facetAnchor: 'bottom', lineAnchor: 'top', fill: 'var(--soft)' } as const;
  return [
    text(ticks, { ...below, x: (tick) => tick, frameAnchor: 'bottom', dy: 9, text: (tick) => format(Number(tick)) }),
    text([label], { ...below, text: (words) => words, frameAnchor: 'bottom-right', dx: 6, dy: 28 }),
  ];
}

/** Selects ticks, in their order, that leave each other space for their labels. */
export function spaced(ticks: readonly number[], position: (tick: number) => number, apart = 58): number[] {
  const kept: number[] = [];
  for (const tick of ticks) {
    const last = kept.at(-1);
    if (last === undefined || Math.abs(position(tick) - position(last)) >= apart) kept.push(tick);
  }
  return kept;
}

/** Returns a function that places a value on a logarithmic axis of this width, in pixels. */
export function logPosition([low, high]: [number, number], width: number): (value: number) => number {
  return (value) => (Math.log(value / low) / Math.log(high / low)) * width;
}
