/** The visitor's votes on sayings: what they pressed, and what the server has answered. */

import type { Trouble } from '../api/client';
import type { FeedbackAnswer, FeedbackRequest, FeedbackType, SayingAnswer } from '../api/types';
import { Store } from '../shared/store';
import type { Delivery, Letter, Outbox } from './outbox';

export interface SayingVote {
  /** The vote that the visitor wants; null for none. */
  wanted: FeedbackType | null;
  /** The vote that the server has stored, by its last answer. */
  stored: FeedbackType | null;
  counts: { up: number; down: number } | null;
  /** Who wrote the saying, which the vote's answer tells; null before it. */
  author: Author | null;
  /** Whether the visitor's first vote counts in the comparison of the models; null before the vote's answer. */
  standing: FeedbackAnswer['standing'];
  /** What became of the last press; null before the first. */
  state: 'sending' | FeedbackAnswer['status'] | 'kept' | 'refused' | null;
  trouble: Trouble | null;
}

export type Author = Pick<FeedbackAnswer, 'source' | 'model' | 'vendor' | 'originalLlmTime'>;

/** What the server has told of a vote, which stays true when the page is loaded again. */
export type Known = Pick<SayingVote, 'stored' | 'counts' | 'author' | 'standing'>;

/** What a vote needs to know of its saying. There is a token only for a saying that was served to the visitor. */
export type Votable = Pick<SayingAnswer, 'sayingId' | 'saying' | 'source' | 'originalLlmTime'> &
  Partial<Pick<SayingAnswer, 'voteToken' | 'executionTime' | 'isCached'>>;

export const NOTHING_KNOWN: Known = { stored: null, counts: null, author: null, standing: null };
const BLANK: SayingVote = { ...NOTHING_KNOWN, wanted: null, state: null, trouble: null };
const PREFIX = 'saying:';

export class SayingVotes {
  private readonly outbox: Outbox;
  private readonly recognised: boolean;
  private readonly stores = new Map<string, Store<SayingVote>>();
  private readonly listeners = new Set<(sayingId: string, known: Known) => void>();

  /** A visitor whom the server does not recognise again cannot change a vote, because it would count twice. */
  constructor(outbox: Outbox, recognised = true) {
    this.outbox = outbox;
    this.recognised = recognised;
    outbox.follow((delivery) => {
      if (delivery.key.startsWith(PREFIX)) this.onDelivery(delivery);
    });
  }

  /** Calls `listener` with what the server answers to every vote. */
  follow(listener: (sayingId: string, known: Known) => void): void {
    this.listeners.add(listener);
  }

  of(sayingId: string): Store<SayingVote> {
    const known = this.stores.get(sayingId) ?? new Store(this.kept(sayingId));
    this.stores.set(sayingId, known);
    return known;
  }

  /** Shows what is known of a vote from an earlier visit or another tab. */
  meet(sayingId: string, known: Known): void {
    const store = this.of(sayingId);
    const vote = store.value;
    if (vote.state === 'sending' || isSame(known, knownOf(vote))) return;
    // A vote that still waits to be sent is newer than what is known.
    if (vote.state === 'kept') store.value = { ...vote, ...known };
    else store.value = { ...vote, ...known, wanted: known.stored, state: null, trouble: null };
  }

  /** Whether the vote can no longer be changed or taken back. */
  isFinal({ stored, state }: SayingVote): boolean {
    return !this.recognised && (stored !== null || state === 'sending');
  }

  /** Votes, changes the vote, or takes it back when the same button is pressed again. */
  press(answer: Votable, type: FeedbackType): void {
    const store = this.of(answer.sayingId);
    if (this.isFinal(store.value)) return;
    const wanted = store.value.wanted === type ? null : type;
    store.value = { ...store.value, wanted, state: 'sending', trouble: null };
    const key = PREFIX + answer.sayingId;
    if (wanted === store.value.stored && this.outbox.recall(key)) {
      store.value = { ...store.value, state: wanted === null ? 'withdrawn' : 'unchanged' };
    } else {
      const told = unveiled(answer, store.value);
      this.outbox.put(key, wanted === null ? withdrawalLetter(answer.sayingId) : voteLetter(told, wanted));
    }
  }

  /** Shows no vote of the visitor any more. */
  forget(): void {
    for (const store of this.stores.values()) store.value = BLANK;
  }

  /** The vote from an earlier visit that still waits in the outbox. */
  private kept(sayingId: string): SayingVote {
    const letter = this.outbox.waiting(PREFIX + sayingId);
    return letter ? { ...BLANK, wanted: typeOf(letter), state: 'kept' } : BLANK;
  }

  private onDelivery(delivery: Delivery): void {
    const store = this.of(delivery.key.slice(PREFIX.length));
    const vote = store.value;
    const type = typeOf(delivery.letter);
    if (delivery.outcome === 'answered') {
      store.value = answered(vote, type, delivery.answer);
      for (const listener of this.listeners) listener(delivery.key.slice(PREFIX.length), knownOf(store.value));
    } else if (type === vote.wanted) {
      // Otherwise a newer press is being sent already.
      const wanted = delivery.outcome === 'kept' ? type : vote.stored;
      store.value = { ...vote, wanted, state: delivery.outcome, trouble: delivery.trouble };
    }
  }
}

function knownOf({ stored, counts, author, standing }: SayingVote): Known {
  return { stored, counts, author, standing };
}

function isSame(one: Known, other: Known): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function answered(vote: SayingVote, stored: FeedbackType | null, answer: unknown): SayingVote {
  const result = answer as FeedbackAnswer | null; // null when there was nothing to take back
  const state = vote.wanted === stored ? (result?.status ?? 'withdrawn') : 'sending';
  const after: SayingVote = { ...vote, stored, state, trouble: null };
  if (result === null) return after;
  const { upvotes, downvotes, source, model, vendor, originalLlmTime, standing } = result;
  // The answer to a withdrawal does not tell the author, who is known already.
  const author = source === null ? vote.author : { source, model, vendor, originalLlmTime };
  return { ...after, counts: { up: upvotes, down: downvotes }, author, standing };
}

/** The saying with its author, as far as the visitor may know who that is. */
export function unveiled<T extends Votable>(answer: T, { author }: Pick<SayingVote, 'author'>): T {
  return author ? { ...answer, ...author } : answer;
}

function withdrawalLetter(sayingId: string): Letter {
  return { method: 'DELETE', path: `/feedback/${encodeURIComponent(sayingId)}` };
}

function voteLetter(answer: Votable, feedbackType: FeedbackType): Letter {
  const { saying, sayingId, source, voteToken = null, executionTime = null, isCached = null, originalLlmTime } = answer;
  const about = { saying, sayingId, source, voteToken };
  const body: FeedbackRequest = { ...about, feedbackType, executionTime, isCached, originalLlmTime };
  return { method: 'POST', path: '/feedback', body };
}

function typeOf({ body }: Letter): FeedbackType | null {
  return (body as FeedbackRequest | undefined)?.feedbackType ?? null;
}
