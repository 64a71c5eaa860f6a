import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** A drawing as wide as its container. Its height is reserved before it is drawn. */
export function Chart({ draw, height }: { draw: (width: number) => Element; height: (width: number) => number }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  useLayoutEffect(() => {
    if (width > 0) box.current?.replaceChildren(draw(width));
  }, [draw, width]);
  return <div class="chart" ref={box} style={width > 0 ? { minHeight: `${height(width)}px` } : undefined} />;
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
