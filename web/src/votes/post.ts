/** The page's one outbox and the votes that it sends, connected to the browser and the server. */

import { fetchJson, Trouble } from '../api/client';
import type { FeedbackRequest, StoredSaying } from '../api/types';
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
    if (path === '/feedback' && error.status === 400) return sendNamed(body as FeedbackRequest, error);
    throw error;
  }
}

/**
 * Sends a vote again whose token the server does not take: it is too old, or the cookie that goes with it is gone. With
 * the author's name it still counts for the saying. Throws the refusal when there is no name to be had.
 */
async function sendNamed(vote: FeedbackRequest, refusal: Trouble): Promise<unknown> {
  if (vote.source !== null || vote.sayingId === null) throw refusal;
  const { source } = await fetchJson<StoredSaying>(`/sayings/${vote.sayingId}`).catch(() => {
    throw refusal;
  });
  return fetchJson('/feedback', { method: 'POST', body: { ...vote, source, voteToken: null } });
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
