/** The sayings that were shown in this browser, shared by its tabs, with the visitor's votes. Each tab is at one of them. */

import type { SayingAnswer, StoredSaying } from '../api/types';
import { forGood, forThisTab, type Keep } from '../shared/storage';
import { Store } from '../shared/store';
import { type Known, NOTHING_KNOWN } from '../votes/sayingVotes';
import { type Guess, STREAK_STORED_AS } from './guess';

/** A saying that was shown, what is known of the visitor's vote, and whom the visitor took for its author. */
export interface Read {
  answer: SayingAnswer;
  known: Known;
  guess: Guess | null;
}

export interface Place {
  /** The oldest first. */
  list: readonly Read[];
  /** The one on the page; null before the first. */
  current: Read | null;
}

const MOST_READ = 50;
// The server reads no more than these, and the digits of each suffice to tell sayings apart.
const MOST_SEEN = 100;
const DIGITS = 8;
export const LIST_STORED_AS = 'sayings.read';
const SEEN_STORED_AS = 'sayings.seen';
const CURRENT_STORED_AS = 'sayings.current';

export class Shown {
  readonly place: Store<Place>;
  private readonly shared: Keep;
  private readonly own: Keep;

  /** `shared` is the memory of all tabs, and `own` that of this one. */
  constructor(shared: Keep, own: Keep) {
    this.shared = shared;
    this.own = own;
    const list = this.stored();
    this.place = new Store<Place>({ list, current: find(list, own.getItem(CURRENT_STORED_AS)) });
  }

  /** What to ask the server for: a saying that was not shown here. A lot decides whether its author is named. */
  request(lot: boolean): string {
    const asked = { ...(lot && { attribution: 'random' }), ...(this.seen().length && { after: this.seen().join() }) };
    const query = Object.entries(asked).map((pair) => pair.join('='));
    return query.length ? `/sayings?${query.join('&')}` : '/sayings';
  }

  /** Shows a saying that has arrived, as the latest one. */
  add(answer: SayingAnswer): void {
    const { sayingId, vote } = answer;
    const list = this.stored();
    const before = find(list, sayingId) ?? { known: { ...NOTHING_KNOWN, stored: vote }, guess: null };
    const others = list.filter((read) => read.answer.sayingId !== sayingId);
    this.write([...others, { ...before, answer }].slice(-MOST_READ));
    const id = sayingId.slice(0, DIGITS);
    const seen = [...this.seen().filter((other) => other !== id), id];
    this.shared.setItem(SEEN_STORED_AS, seen.slice(-MOST_SEEN).join());
    this.goTo(sayingId);
  }

  /** Shows the saying that is this many places later in the list, if there is one. */
  go(steps: number): void {
    const { list, current } = this.place.value;
    const target = list[list.findIndex((read) => isOf(read, current?.answer.sayingId)) + steps];
    if (current && target) this.goTo(target.answer.sayingId);
  }

  goTo(sayingId: string): void {
    const { list } = this.place.value;
    const current = find(list, sayingId);
    if (!current) return;
    this.own.setItem(CURRENT_STORED_AS, sayingId);
    this.place.value = { list, current };
  }

  find(sayingId: string): Read | null {
    return find(this.place.value.list, sayingId);
  }

  /** Keeps what has become known of a saying that was shown. */
  note(sayingId: string, change: Partial<Omit<Read, 'answer'>>): void {
    const list = this.stored();
    if (find(list, sayingId)) this.write(list.map((read) => (isOf(read, sayingId) ? { ...read, ...change } : read)));
  }

  /** The author of a saying was shown elsewhere before the vote, so that its token would be wrong: it says blind. */
  reveal(author: StoredSaying): void {
    const { sayingId, source, model, vendor, originalLlmTime } = author;
    const read = find(this.stored(), sayingId);
    if (!read?.answer.blind || read.known.author) return;
    const answer = { ...read.answer, source, model, vendor, originalLlmTime, blind: false, voteToken: null };
    this.write(this.stored().map((each) => (isOf(each, sayingId) ? { ...each, answer } : each)));
  }

  /** Reads again what another tab may have changed. */
  refresh(): void {
    this.show(this.stored());
  }

  /** Begins anew. The sayings go as well, because their tokens are for the voter who is forgotten. */
  forget(): void {
    for (const name of [LIST_STORED_AS, SEEN_STORED_AS, STREAK_STORED_AS]) this.shared.removeItem(name);
    this.own.removeItem(CURRENT_STORED_AS);
    this.place.value = { list: [], current: null };
  }

  private write(list: Read[]): void {
    this.shared.setItem(LIST_STORED_AS, JSON.stringify(list));
    this.show(list);
  }

  private show(list: Read[]): void {
    const { current } = this.place.value;
    // Other tabs may have shown so many that this one's is no longer in the list.
    this.place.value = { list, current: find(list, current?.answer.sayingId) ?? current };
  }

  private stored(): Read[] {
    try {
      const found: unknown = JSON.parse(this.shared.getItem(LIST_STORED_AS) ?? '[]');
      return Array.isArray(found) ? found.filter(isRead) : [];
    } catch {
      return [];
    }
  }

  private seen(): string[] {
    return this.shared.getItem(SEEN_STORED_AS)?.split(',') ?? [];
  }
}

function find(list: readonly Read[], sayingId: string | null | undefined): Read | null {
  return list.find((read) => isOf(read, sayingId)) ?? null;
}

function isOf({ answer }: Read, sayingId: string | null | undefined): boolean {
  return answer.sayingId === sayingId;
}

// Another version of this page may have left anything in the storage, and that must not break this one.
function isRead(found: Partial<Read> | null): found is Read {
  return typeof found?.answer?.saying === 'string' && Array.isArray(found.answer.services) && found.known !== undefined;
}

export const shown = new Shown(forGood, forThisTab);
