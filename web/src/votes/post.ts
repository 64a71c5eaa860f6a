/** The page's one outbox and the votes that it sends, connected to the browser and the server. */

import { fetchJson, Trouble } from '../api/client';
import { online } from '../shared/connection';
import { keepsCookies } from '../shared/cookies';
import { forGood } from '../shared/storage';
import { type Letter, Outbox } from './outbox';
import { SayingVotes } from './sayingVotes';

export const outbox = new Outbox({ send, storage: forGood, exclusively, later: (work, ms) => setTimeout(work, ms) });
export const sayingVotes = new SayingVotes(outbox, keepsCookies);

/** Sends the kept letters now, and whenever the connection is back. */
export function startSending(): void {
  void outbox.flush();
  online.follow((isOnline) => {
    if (isOnline) void outbox.flush();
  });
}

async function send(letter: Letter): Promise<unknown> {
  const { method, path, body } = letter;
  try {
    return await fetchJson(path, { method, body });
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    // The vote to take back does not exist, which is what the visitor wants.
    if (method === 'DELETE' && error.status === 404) return null;
    throw error;
  }
}

async function exclusively(work: () => Promise<void>): Promise<void> {
  let begun = false;
  const locked = () => {
    begun = true;
    return work();
  };
  try {
    await navigator.locks.request('sayings.outbox', locked);
  } catch (error) {
    if (begun) throw error;
    // There are no locks without HTTPS, and none to be had where site data is blocked. Two tabs may then send the same
    // vote, which the server counts once.
    await work();
  }
}
