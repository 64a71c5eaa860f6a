import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

type Place = { current: HTMLElement | null };

/** Moves the focus to `refuge`, or to `area`, when the element in it that had the focus is gone, so that it is never lost. */
export function useKeptFocus(area: Place, refuge: Place): void {
  const isInside = useRef(false);
  useEffect(() => {
    const listen = ({ target }: FocusEvent) => {
      isInside.current = target instanceof Node && area.current?.contains(target) === true;
    };
    document.addEventListener('focusin', listen);
    return () => document.removeEventListener('focusin', listen);
  }, [area]);
  useLayoutEffect(() => {
    if (!isInside.current || document.activeElement !== document.body) return;
    (refuge.current ?? area.current)?.focus({ preventScroll: true });
  });
}
