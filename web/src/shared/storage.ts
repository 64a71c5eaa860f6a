/** The browser's storage; where the page may not use it, memory for as long as the page is open. */

export type Keep = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export const forGood = keepIn(() => localStorage);
export const forThisTab = keepIn(() => sessionStorage);

function keepIn(storage: () => Storage): Keep {
  const memory = new Map<string, string>();
  return {
    getItem: (key) => memory.get(key) ?? attempt(() => storage().getItem(key)),
    setItem: (key, value) => {
      memory.delete(key);
      attempt(() => storage().setItem(key, value));
      if (attempt(() => storage().getItem(key)) !== value) memory.set(key, value);
    },
    removeItem: (key) => {
      memory.delete(key);
      attempt(() => storage().removeItem(key));
    },
  };
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
