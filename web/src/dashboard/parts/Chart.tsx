import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

interface ChartProps {
  draw: (width: number) => Element;
  height: (width: number) => number;
}

const FORWARD = ['ArrowRight', 'ArrowDown'];
const BACK = ['ArrowLeft', 'ArrowUp'];
/** A part of the drawing is meant when the pointer is at most so many pixels from it. */
const REACH = 28;

/**
 * A drawing as wide as its container. Its height is reserved before it is drawn. The text of each part that has a
 * `data-tip` is shown when the pointer is near it, and by the arrow keys.
 */
export function Chart({ draw, height }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [tip, setTip] = useState<Element | null>(null);
  useLayoutEffect(() => {
    if (width > 0) box.current?.replaceChildren(draw(width));
    setTip(null);
  }, [draw, width]);
  useEffect(() => {
    tip?.classList.add('told');
    return () => tip?.classList.remove('told');
  }, [tip]);
  const follow = ({ clientX, clientY }: PointerEvent) => setTip(nearest(box.current, clientX, clientY));
  const walk = (event: KeyboardEvent) => {
    const step = FORWARD.includes(event.key) ? 1 : BACK.includes(event.key) ? -1 : 0;
    if (event.key === 'Escape') setTip(null);
    if (step === 0) return;
    event.preventDefault();
    setTip((last) => neighbour(box.current, last, step));
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is sent together
    <div
      class="chart"
      role="group"
      aria-label="Plot; the arrow keys read its values"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: its values can be read by keyboard
      tabIndex={0}
      onPointerMove={follow}
      onPointerDown={follow}
      onPointerLeave={() => setTip(null)}
      onBlur={() => setTip(null)}
      onKeyDown={walk}
    >
      <div ref={box} style={width > 0 ? { minHeight: `${height(width)}px` } : undefined} />
      <p class="tip" role="status" style={tip ? placeOf(tip, box.current) : undefined}>
        {tip?.getAttribute('data-tip')}
      </p>
    </div>
  );
}

function partsOf(box: Element | null): Element[] {
  return [...(box?.querySelectorAll('[data-tip]') ?? [])];
}

function neighbour(box: Element | null, last: Element | null, step: number): Element | null {
  const parts = partsOf(box);
  const place = last ? parts.indexOf(last) + step : step > 0 ? 0 : -1;
  return parts.at(place % parts.length) ?? null;
}

function nearest(box: Element | null, x: number, y: number): Element | null {
  let found: Element | null = null;
  let least = REACH;
  for (const part of partsOf(box)) {
    const { left, right, top, bottom } = part.getBoundingClientRect();
    const far = Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
    if (far < least) [found, least] = [part, far];
  }
  return found;
}

/** Above the part, within the box. */
function placeOf(part: Element, box: Element | null) {
  const at = part.getBoundingClientRect();
  const frame = (box ?? part).getBoundingClientRect();
  const middle = (at.left + at.right) / 2 - frame.left;
  const side =
    middle > frame.width / 2
      ? { right: `${Math.max(0, frame.width - middle - 40)}px` }
      : { left: `${Math.max(0, middle - 40)}px` };
  return { ...side, bottom: `${frame.bottom - at.top + 6}px` };
}

/** The width of an element in whole pixels, kept up to date; 0 before it is known. */
function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    setWidth(Math.floor(element.clientWidth));
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return width;
}
