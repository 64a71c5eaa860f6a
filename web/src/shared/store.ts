/** A value that several components share and follow. */

import { useEffect, useState } from 'preact/hooks';

export class Store<T> {
  private readonly listeners = new Set<(value: T) => void>();

  private current: T;

  constructor(initial: T) {
    this.current = initial;
  }

  get value(): T {
    return this.current;
  }

  set value(next: T) {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const listener of this.listeners) listener(next);
  }

  /** Calls `listener` with every new value. Returns a function that stops this. */
  follow(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** Returns the store's value, and draws the component again whenever it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, setValue] = useState(store.value);
  useEffect(() => {
    setValue(() => store.value); // the value may have changed before `follow` is called
    return store.follow((next) => setValue(() => next));
  }, [store]);
  // Not the state, which is that of the store before when the component has another one now.
  return store.value;
}
