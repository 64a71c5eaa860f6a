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

const BLANK: SayingVote = {
  wanted: null,
  stored: null,
  counts: null,
  author: null,
  standing: null,
  state: null,
  trouble: null,
};
const PREFIX = 'saying:';

export class SayingVotes {
  private readonly outbox: Outbox;
  private readonly stores = new Map<string, Store<SayingVote>>();

  constructor(outbox: Outbox) {
    this.outbox = outbox;
    outbox.follow((delivery) => {
      if (delivery.key.startsWith(PREFIX)) this.onDelivery(delivery);
    });
  }

  of(sayingId: string): Store<SayingVote> {
    const known = this.stores.get(sayingId) ?? new Store(this.kept(sayingId));
    this.stores.set(sayingId, known);
    return known;
  }

  /** Shows the vote that came with a saying, unless more is known here already. */
  meet({ sayingId, vote }: SayingAnswer): void {
    const store = this.of(sayingId);
    if (store.value.state === null) store.value = { ...store.value, wanted: vote, stored: vote };
  }

  /** Votes, changes the vote, or takes it back when the same button is pressed again. */
  press(answer: SayingAnswer, type: FeedbackType): void {
    const store = this.of(answer.sayingId);
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
    } else if (type === vote.wanted) {
      // Otherwise a newer press is being sent already.
      const wanted = delivery.outcome === 'kept' ? type : vote.stored;
      store.value = { ...vote, wanted, state: delivery.outcome, trouble: delivery.trouble };
    }
  }
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
export function unveiled(answer: SayingAnswer, { author }: SayingVote): SayingAnswer {
  return author ? { ...answer, ...author } : answer;
}

function withdrawalLetter(sayingId: string): Letter {
  return { method: 'DELETE', path: `/feedback/${encodeURIComponent(sayingId)}` };
}

function voteLetter(answer: SayingAnswer, feedbackType: FeedbackType): Letter {
  const { saying, sayingId, source, voteToken, executionTime, isCached, originalLlmTime } = answer;
  const about = { saying, sayingId, source, voteToken };
  const body: FeedbackRequest = { ...about, feedbackType, executionTime, isCached, originalLlmTime };
  return { method: 'POST', path: '/feedback', body };
}

function typeOf({ body }: Letter): FeedbackType | null {
  return (body as FeedbackRequest | undefined)?.feedbackType ?? null;
}
