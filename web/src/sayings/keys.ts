/** The keys that act everywhere on the page with the sayings, and the switch that turns them off. */

import { useEffect } from 'preact/hooks';
import { forGood } from '../shared/storage';
import { Store } from '../shared/store';

const STORED_AS = 'sayings.keys';

export const keysOn = new Store(forGood.getItem(STORED_AS) !== 'off');

export function switchKeys(on: boolean): void {
  keysOn.value = on;
  forGood.setItem(STORED_AS, on ? 'on' : 'off');
}

// What uses the space bar, or the arrows, itself.
const USES_SPACE = 'a, button, input, select, textarea, summary, dialog';
const USES_ARROWS = 'input, select, textarea, dialog';

/** Calls an action when its key is pressed where that has no other meaning. `next` returns false to let the page scroll. */
export function useKeys(next: () => boolean, go: (steps: number) => void) {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const { key, target, ctrlKey, altKey, metaKey, shiftKey } = event;
      if (!keysOn.value || event.defaultPrevented || ctrlKey || altKey || metaKey || shiftKey) return;
      const isIn = (controls: string) => target instanceof Element && target.closest(controls) !== null;
      if (key === ' ' && !event.repeat && !isIn(USES_SPACE) && next()) event.preventDefault(); // the page would scroll
      if (key === 'ArrowLeft' && !isIn(USES_ARROWS)) go(-1);
      if (key === 'ArrowRight' && !isIn(USES_ARROWS)) go(1);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [next, go]);
}
