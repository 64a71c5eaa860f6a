/**
 * Letters are requests that carry votes to the server. Each is kept in the browser's storage until the server has
 * answered it, so that a vote that was made offline, or just before the page was closed, is sent later.
 */

import { Trouble } from '../api/client';
import type { Keep } from '../shared/storage';
import { Store } from '../shared/store';

export interface Letter {
  method: 'POST' | 'DELETE';
  path: string;
  body?: unknown;
}

/**
 * `kept`: the letter could not be delivered now and will be sent again. `refused`: the server rejects it for good. It is
 * `late` when it was kept before.
 */
export type Delivery = { key: string; letter: Letter; late: boolean } & (
  | { outcome: 'answered'; answer: unknown }
  | { outcome: 'kept' | 'refused'; trouble: Trouble }
);

interface Waiting {
  letter: Letter;
  /** Whether it was sent before without an answer, so that the server may have received it. */
  tried: boolean;
}

export interface Environment {
  send: (letter: Letter) => Promise<unknown>;
  storage: Keep;
  /** Runs the work in one tab of this page at a time, because all tabs share the storage. */
  exclusively: (work: () => Promise<void>) => Promise<void>;
  later: (work: () => void, ms: number) => void;
}

const STORED_AS = 'sayings.outbox';
const FIRST_PAUSE_MS = 4_000;
const LONGEST_PAUSE_MS = 120_000;

export class Outbox {
  /** The number of letters that wait because they could not be sent. */
  readonly kept = new Store(0);
  private readonly environment: Environment;
  private readonly listeners = new Set<(delivery: Delivery) => void>();
  private sending = '';
  private flushing: Promise<void> | null = null;
  private asked = false;
  private pause = FIRST_PAUSE_MS;

  constructor(environment: Environment) {
    this.environment = environment;
    this.count();
  }

  /** Calls `listener` with what becomes of every letter. Returns a function that stops this. */
  follow(listener: (delivery: Delivery) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The letter under this key that waits or is being sent. */
  waiting(key: string): Letter | null {
    return this.read()[key]?.letter ?? null;
  }

  /** Sends a letter in place of the one that waits under the same key. */
  put(key: string, letter: Letter): void {
    const letters = this.read();
    letters[key] = { letter, tried: letters[key]?.tried ?? false };
    this.write(letters);
    void this.flush();
  }

  /** Takes a letter back; false when it is too late, because the server may have received it. */
  recall(key: string): boolean {
    const { [key]: found, ...others } = this.read();
    if (this.sending === key || found?.tried) return false;
    this.write(others);
    return true;
  }

  /** Sends all waiting letters, one after the other, and those that are put in meanwhile. */
  flush(): Promise<void> {
    this.asked = true;
    this.flushing ??= this.sendWhileAsked().finally(() => {
      this.flushing = null;
    });
    return this.flushing;
  }

  /** Throws all letters away, and waits until none is on its way in any tab. */
  async discard(): Promise<void> {
    this.write({});
    await this.flushing;
    await this.environment.exclusively(async () => undefined);
  }

  private async sendWhileAsked(): Promise<void> {
    while (this.asked) {
      this.asked = false;
      await this.environment.exclusively(() => this.sendAll());
    }
  }

  private async sendAll(): Promise<void> {
    for (const key of Object.keys(this.read())) {
      if (!(await this.sendOne(key))) return;
    }
  }

  /** Returns whether to go on with the next letter: one that the server cannot take now must not hold up the others. */
  private async sendOne(key: string): Promise<boolean> {
    const waiting = this.read()[key];
    if (!waiting) return true; // it was recalled meanwhile
    const { letter, tried } = waiting;
    this.sending = key;
    try {
      const answer = await this.environment.send(letter);
      this.pause = FIRST_PAUSE_MS;
      this.remove(key, letter);
      this.report({ key, letter, late: tried, outcome: 'answered', answer });
      return true;
    } catch (error) {
      return this.handle(key, waiting, error);
    } finally {
      this.sending = '';
    }
  }

  private handle(key: string, { letter, tried: late }: Waiting, error: unknown): boolean {
    if (!(error instanceof Trouble)) throw error;
    if (!error.passes) {
      this.remove(key, letter);
      this.report({ key, letter, late, outcome: 'refused', trouble: error });
      return true;
    }
    this.mark(key);
    this.report({ key, letter, late, outcome: 'kept', trouble: error });
    this.tryLater(error);
    return error.kind === 'refused';
  }

  /** Sets a timer. Being offline needs none, because `startSending` calls `flush` when the connection is back. */
  private tryLater(trouble: Trouble): void {
    if (trouble.kind === 'offline') return;
    const asked = trouble.retryAt === null ? 0 : trouble.retryAt - Date.now();
    this.environment.later(() => void this.flush(), Math.max(asked, this.pause));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  private report(delivery: Delivery): void {
    for (const listener of this.listeners) listener(delivery);
  }

  /** Forgets a letter, unless a newer one has taken its place. */
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
      const found: unknown = JSON.parse(this.environment.storage.getItem(STORED_AS) ?? '{}');
      return isRecord(found) ? found : {};
    } catch {
      return {};
    }
  }

  private write(letters: Record<string, Waiting>): void {
    const { storage } = this.environment;
    if (Object.keys(letters).length === 0) storage.removeItem(STORED_AS);
    else storage.setItem(STORED_AS, JSON.stringify(letters));
    this.count();
  }

  private count(): void {
    this.kept.value = Object.values(this.read()).filter(({ tried }) => tried).length;
  }
}

// Another version of this page may have left anything in the storage, and that must not break this one.
function isRecord(found: unknown): found is Record<string, Waiting> {
  return (
    typeof found === 'object' &&
    found !== null &&
    Object.values(found).every((waiting) => typeof waiting?.letter?.path === 'string')
  );
}
