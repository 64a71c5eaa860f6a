/**
 * Votes on their way to the server. Each is kept in the browser's storage until the server has answered it, so that one
 * made offline, or just before the page is closed, is sent once the connection is back.
 */

import { Trouble } from '../api/client';
import { Store } from '../shared/store';

export interface Letter {
  method: 'POST' | 'DELETE';
  path: string;
  body?: unknown;
}

/** `kept`: not now, it will be sent again. `refused`: the server does not want it, and it is gone. */
export type News = { key: string; letter: Letter } & (
  | { outcome: 'answered'; answer: unknown; late: boolean }
  | { outcome: 'kept' | 'refused'; trouble: Trouble }
);

interface Waiting {
  letter: Letter;
  /** It was sent before, and nobody knows what became of it. */
  tried: boolean;
}

export interface Around {
  send: (letter: Letter) => Promise<unknown>;
  storage: Pick<Storage, 'getItem' | 'setItem'>;
  /** One at a time among all tabs of this page, which share the storage. */
  exclusively: (work: () => Promise<void>) => Promise<void>;
  later: (work: () => void, ms: number) => void;
}

const STORED_AS = 'sayings.outbox';
const FIRST_PAUSE_MS = 4_000;
const LONGEST_PAUSE_MS = 120_000;

export class Outbox {
  /** How many letters wait after they could not be sent. */
  readonly kept = new Store(0);
  private readonly around: Around;
  private readonly readers = new Set<(news: News) => void>();
  private sending = '';
  private flushing: Promise<void> | null = null;
  private asked = false;
  private pause = FIRST_PAUSE_MS;

  constructor(around: Around) {
    this.around = around;
    this.count();
  }

  /** Called with what becomes of every letter. Returns what ends it. */
  follow(reader: (news: News) => void): () => void {
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }

  /** The letter that waits or is being sent under a key. */
  waiting(key: string): Letter | null {
    return this.read()[key]?.letter ?? null;
  }

  /** Send a letter, in place of the one that waits under the same key. */
  put(key: string, letter: Letter): void {
    const letters = this.read();
    letters[key] = { letter, tried: letters[key]?.tried ?? false };
    this.write(letters);
    void this.flush();
  }

  /** Take a letter back; false when it is too late for that, because the server may have it already. */
  recall(key: string): boolean {
    const { [key]: found, ...others } = this.read();
    if (this.sending === key || found?.tried) return false;
    this.write(others);
    return true;
  }

  /** Send all that waits, one after the other, also what is put in meanwhile. */
  flush(): Promise<void> {
    this.asked = true;
    this.flushing ??= this.sendWhileAsked().finally(() => {
      this.flushing = null;
    });
    return this.flushing;
  }

  private async sendWhileAsked(): Promise<void> {
    while (this.asked) {
      this.asked = false;
      await this.around.exclusively(() => this.sendAll());
    }
  }

  private async sendAll(): Promise<void> {
    for (const key of Object.keys(this.read())) {
      if (!(await this.sendOne(key))) return;
    }
  }

  /** Whether to go on with the next one: one that the server cannot take now must not hold up the others. */
  private async sendOne(key: string): Promise<boolean> {
    const waiting = this.read()[key];
    if (!waiting) return true; // taken back meanwhile
    const { letter, tried } = waiting;
    this.sending = key;
    try {
      const answer = await this.around.send(letter);
      this.pause = FIRST_PAUSE_MS;
      this.remove(key, letter);
      this.tell({ key, letter, outcome: 'answered', answer, late: tried });
      return true;
    } catch (error) {
      return this.handle(key, letter, error);
    } finally {
      this.sending = '';
    }
  }

  private handle(key: string, letter: Letter, error: unknown): boolean {
    if (!(error instanceof Trouble)) throw error;
    if (!error.passes) {
      this.remove(key, letter);
      this.tell({ key, letter, outcome: 'refused', trouble: error });
      return true;
    }
    this.mark(key);
    this.tell({ key, letter, outcome: 'kept', trouble: error });
    this.tryLater(error);
    return error.kind === 'refused';
  }

  /** When the browser says that it is online again somebody calls `flush`; all other trouble passes with time. */
  private tryLater(trouble: Trouble): void {
    if (trouble.kind === 'offline') return;
    const asked = trouble.retryAt === null ? 0 : trouble.retryAt - Date.now();
    this.around.later(() => void this.flush(), Math.max(asked, this.pause));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  private tell(news: News): void {
    for (const reader of this.readers) reader(news);
  }

  /** Forget a letter, unless a newer one has taken its place meanwhile. */
  private remove(key: string, letter: Letter): void {
    const { [key]: found, ...others } = this.read();
    const same = JSON.stringify(found?.letter) === JSON.stringify(letter);
    this.write(same || !found ? others : { ...others, [key]: { letter: found.letter, tried: false } });
  }

  private mark(key: string): void {
    const letters = this.read();
    const found = letters[key];
    if (found) this.write({ ...letters, [key]: { ...found, tried: true } });
  }

  private read(): Record<string, Waiting> {
    try {
      const found: unknown = JSON.parse(this.around.storage.getItem(STORED_AS) ?? '{}');
      return isRecord(found) ? found : {};
    } catch {
      return {};
    }
  }

  private write(letters: Record<string, Waiting>): void {
    this.around.storage.setItem(STORED_AS, JSON.stringify(letters));
    this.count();
  }

  private count(): void {
    this.kept.value = Object.values(this.read()).filter(({ tried }) => tried).length;
  }
}

// Whatever another version of this page, or anybody, has left there must not break this one.
function isRecord(found: unknown): found is Record<string, Waiting> {
  return (
    typeof found === 'object' &&
    found !== null &&
    Object.values(found).every((waiting) => typeof waiting?.letter?.path === 'string')
  );
}
