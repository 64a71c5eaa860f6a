/** One's votes on sayings: what is wanted, what the server has, and the counts it told. */

import type { Trouble } from '../api/client';
import type { FeedbackAnswer, FeedbackRequest, FeedbackType, SayingAnswer } from '../api/types';
import { Store } from '../shared/store';
import type { Letter, News, Outbox } from './outbox';

export interface Ballot {
  /** What was pressed last; null is no vote. */
  wanted: FeedbackType | null;
  /** What the server has answered last. */
  stored: FeedbackType | null;
  counts: { up: number; down: number } | null;
  /** What became of the last press; null before there was one. */
  news: 'sending' | FeedbackAnswer['status'] | 'kept' | 'refused' | null;
  trouble: Trouble | null;
}

const BLANK: Ballot = { wanted: null, stored: null, counts: null, news: null, trouble: null };
const PREFIX = 'saying:';

export class Ballots {
  private readonly outbox: Outbox;
  private readonly ballots = new Map<string, Store<Ballot>>();

  constructor(outbox: Outbox) {
    this.outbox = outbox;
    outbox.follow((news) => {
      if (news.key.startsWith(PREFIX)) this.hear(news);
    });
  }

  of(sayingId: string): Store<Ballot> {
    const known = this.ballots.get(sayingId) ?? new Store(this.kept(sayingId));
    this.ballots.set(sayingId, known);
    return known;
  }

  /** Vote, change one's vote, or take it back by pressing the same again. */
  press(answer: SayingAnswer, type: FeedbackType): void {
    const store = this.of(answer.sayingId);
    const wanted = store.value.wanted === type ? null : type;
    store.value = { ...store.value, wanted, news: 'sending', trouble: null };
    const key = PREFIX + answer.sayingId;
    if (wanted === store.value.stored && this.outbox.recall(key)) {
      store.value = { ...store.value, news: wanted === null ? 'withdrawn' : 'unchanged' };
    } else {
      this.outbox.put(key, wanted === null ? withdrawal(answer.sayingId) : vote(answer, wanted));
    }
  }

  /** A vote from an earlier visit, still on its way. */
  private kept(sayingId: string): Ballot {
    const letter = this.outbox.waiting(PREFIX + sayingId);
    return letter ? { ...BLANK, wanted: typeOf(letter), news: 'kept' } : BLANK;
  }

  private hear(news: News): void {
    const store = this.of(news.key.slice(PREFIX.length));
    const ballot = store.value;
    if (news.outcome === 'answered') store.value = answered(ballot, typeOf(news.letter), news.answer);
    else if (typeOf(news.letter) !== ballot.wanted)
      return; // the next press is on its way already
    else if (news.outcome === 'kept') store.value = { ...ballot, news: 'kept', trouble: news.trouble };
    else store.value = { ...ballot, wanted: ballot.stored, news: 'refused', trouble: news.trouble };
  }
}

function answered(ballot: Ballot, stored: FeedbackType | null, answer: unknown): Ballot {
  const told = answer as FeedbackAnswer | null; // null: there was nothing to take back
  const counts = told ? { up: told.upvotes, down: told.downvotes } : ballot.counts;
  const news = ballot.wanted === stored ? (told?.status ?? 'withdrawn') : 'sending';
  return { ...ballot, stored, counts, news, trouble: null };
}

function withdrawal(sayingId: string): Letter {
  return { method: 'DELETE', path: `/feedback/${encodeURIComponent(sayingId)}` };
}

function vote(answer: SayingAnswer, feedbackType: FeedbackType): Letter {
  const { saying, sayingId, source, executionTime, isCached, originalLlmTime } = answer;
  const body: FeedbackRequest = { saying, sayingId, source, feedbackType, executionTime, isCached, originalLlmTime };
  return { method: 'POST', path: '/feedback', body };
}

function typeOf({ body }: Letter): FeedbackType | null {
  return (body as FeedbackRequest | undefined)?.feedbackType ?? null;
}
