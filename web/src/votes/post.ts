/** The one outbox of the page and the ballots in it, with the browser around them. */

import { call, Trouble } from '../api/client';
import { online } from '../shared/connection';
import { Ballots } from './ballots';
import { type Letter, Outbox } from './outbox';

export const outbox = new Outbox({ send, storage: storage(), exclusively, later: (work, ms) => setTimeout(work, ms) });
export const ballots = new Ballots(outbox);

/** What was kept is sent now, and whenever the connection is back. */
export function startSending(): void {
  void outbox.flush();
  online.follow((isOnline) => {
    if (isOnline) void outbox.flush();
  });
}

async function send({ method, path, body }: Letter): Promise<unknown> {
  try {
    return await call(path, { method, body });
  } catch (error) {
    // There was no vote to take back, which is what was wanted.
    if (method === 'DELETE' && error instanceof Trouble && error.status === 404) return null;
    throw error;
  }
}

async function exclusively(work: () => Promise<void>): Promise<void> {
  // Only where the page came by HTTPS or from this machine; elsewhere two tabs may send the same vote, which counts once.
  if (!('locks' in navigator)) return work();
  await navigator.locks.request('sayings.outbox', work);
}

/** The browser's; where that is closed to us, memory for as long as the page is open. */
function storage(): Pick<Storage, 'getItem' | 'setItem'> {
  const memory = new Map<string, string>();
  return {
    getItem: (key) => memory.get(key) ?? attempt(() => localStorage.getItem(key)),
    setItem: (key, value) => {
      memory.delete(key);
      attempt(() => localStorage.setItem(key, value));
      if (attempt(() => localStorage.getItem(key)) !== value) memory.set(key, value);
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
