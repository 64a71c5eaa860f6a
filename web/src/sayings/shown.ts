/** The saying on the page, and which ones this tab has shown, so that the server can choose others. */

import type { SayingAnswer } from '../api/types';
import { forThisTab, type Keep } from '../shared/storage';

// The server reads no more than these, and the digits of each suffice to tell sayings apart.
const MOST = 100;
const DIGITS = 8;
const STORED_AS = 'sayings.seen';

export class Shown {
  // A visitor who returns from another view sees the same saying, because the server counts every one that it serves.
  last: SayingAnswer | null = null;
  private readonly memory: Keep;

  constructor(memory: Keep) {
    this.memory = memory;
  }

  /** The request for a saying that this tab has not shown, with or without its author as a lot decides. */
  get request(): string {
    const seen = this.seen();
    return `/sayings?attribution=random${seen.length ? `&after=${seen.join()}` : ''}`;
  }

  add(answer: SayingAnswer): void {
    this.last = answer;
    const id = answer.sayingId.slice(0, DIGITS);
    const ids = [...this.seen().filter((other) => other !== id), id];
    this.memory.setItem(STORED_AS, ids.slice(-MOST).join());
  }

  /** Begins anew. The saying goes as well, because its token is for the voter who is forgotten. */
  forget(): void {
    this.last = null;
    this.memory.removeItem(STORED_AS);
  }

  private seen(): string[] {
    return this.memory.getItem(STORED_AS)?.split(',') ?? [];
  }
}

export const shown = new Shown(forThisTab);
