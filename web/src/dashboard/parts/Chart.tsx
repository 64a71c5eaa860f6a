import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** A drawing as wide as there is room for; its height is kept free before it is there. */
export function Chart({ draw, height }: { draw: (width: number) => Element; height: (width: number) => number }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  useLayoutEffect(() => {
    if (width > 0) box.current?.replaceChildren(draw(width));
  }, [draw, width]);
  return <div class="chart" ref={box} style={width > 0 ? { minHeight: `${height(width)}px` } : undefined} />;
}

/** In whole pixels, followed as it changes; 0 before it is known. */
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
