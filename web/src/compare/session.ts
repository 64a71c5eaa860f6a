/** The comparison on the page, from the request to the reveal. It goes on while the visitor looks at another view. */

import { Trouble } from '../api/client';
import type { CompareVoteAnswer, ComparisonView, ReplayReason, Slot, SlotAnswer, Winner } from '../api/types';
import type { Keep } from '../shared/storage';
import { Store } from '../shared/store';
import type { Delivery, Outbox } from '../votes/outbox';
import type { Step, Wish } from './ask';

export interface Session {
  /**
   * `running`: the models are writing. `fetching`: a comparison that was made earlier is on its way. `open`: all answers
   * are there. `closed`: there are too few of them to pick one.
   */
  phase: 'idle' | 'running' | 'fetching' | 'open' | 'closed';
  id: string;
  service: string;
  replayed: boolean;
  /** Why an earlier comparison is shown; null when this one was made now. */
  reason: ReplayReason;
  slots: readonly Slot[];
  /** How many answers are there. None is shown before all are, because the order in which they come tells authors. */
  landed: number;
  answers: Partial<Record<Slot, SlotAnswer>>;
  /** The visitor's pick. It may not be stored yet. */
  pick: Winner | null;
  /** Whether the pick could not be sent yet and waits in the outbox. */
  kept: boolean;
  reveal: Reveal | null;
  trouble: Trouble | null;
  /** When to ask again after a trouble that passes, in milliseconds since 1970; null when nothing is to be asked again. */
  retryAt: number | null;
}

/**
 * Who wrote what. `winner` is the visitor's first pick; `late` when they have picked another one after the reveal, and
 * `unverified` when the server could not tell whose pick it is, so that it neither counts nor reveals anything.
 */
export interface Reveal extends Pick<CompareVoteAnswer, 'winner' | 'slots'> {
  late: boolean;
  unverified: boolean;
}

export const ALL_SLOTS: readonly Slot[] = ['A', 'B', 'C', 'D'];

const IDLE: Session = {
  phase: 'idle',
  id: '',
  service: '',
  replayed: false,
  reason: null,
  slots: ALL_SLOTS,
  landed: 0,
  answers: {},
  pick: null,
  kept: false,
  reveal: null,
  trouble: null,
  retryAt: null,
};
// What the page asks for by itself. Where there is none, nobody has missed it.
const UNASKED: Wish = { service: null, stored: true };
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 120_000;
const PREFIX = 'comparison:';
const STORED_AS = 'sayings.comparison';

export interface Server {
  ask: (wish: Wish, signal: AbortSignal) => AsyncIterable<Step>;
  recall: (id: string, signal: AbortSignal) => Promise<ComparisonView>;
}

/** Where the browser keeps the id of a comparison: an open one for all tabs, one with its reveal for its own tab. */
export interface Memory {
  shared: Keep;
  tab: Keep;
}

export class Sessions {
  readonly current = new Store(IDLE);
  private readonly server: Server;
  private readonly outbox: Outbox;
  private readonly memory: Memory;
  private controller = new AbortController();
  private wish = UNASKED;
  private pause = FIRST_PAUSE_MS;

  constructor(server: Server, outbox: Outbox, memory: Memory) {
    this.server = server;
    this.outbox = outbox;
    this.memory = memory;
    outbox.follow((delivery) => {
      if (delivery.key === PREFIX + this.current.value.id) this.show(afterDelivery(this.current.value, delivery));
    });
  }

  /** Shows the comparison that the visitor had open; else one that was made earlier and is new to them, if there is one. */
  async arrive(): Promise<void> {
    if (this.current.value.phase !== 'idle') return;
    const id = this.memory.shared.getItem(STORED_AS) ?? this.memory.tab.getItem(STORED_AS);
    if (id !== null) await this.bringBack(id);
    if (this.current.value.phase !== 'idle') return;
    await this.start(UNASKED);
  }

  /** Asks all models, or for a comparison that was made earlier. The comparison before ends. */
  async start(wish: Wish): Promise<void> {
    this.wish = wish;
    this.forgetId();
    const phase = wish.stored ? 'fetching' : 'running';
    await this.replace({ ...IDLE, phase, service: wish.service ?? '' }, async (signal) => {
      for await (const step of this.server.ask(wish, signal)) {
        if (signal.aborted) return;
        this.show(afterStep(this.current.value, step));
      }
    });
    if (wish === UNASKED && this.current.value.trouble?.passes === false) this.show(IDLE);
  }

  /** Asks once more for what could not be had. */
  async retry(): Promise<void> {
    const { phase, id, retryAt } = this.current.value;
    if (phase !== 'closed' || retryAt === null) return;
    // The models may have written meanwhile what did not arrive.
    if (id !== '') await this.bringBack(id);
    else await this.start(this.wish);
    if (this.current.value.phase === 'idle') await this.start(this.wish);
  }

  /** Follows what the visitor does in another tab: a comparison that they open there, and the reveal of this one. */
  async catchUp(): Promise<void> {
    const session = this.current.value;
    const { phase, id, reveal, pick } = session;
    const open = this.memory.shared.getItem(STORED_AS);
    if (phase === 'idle' && open !== null) await this.bringBack(open);
    if (phase !== 'open' || reveal !== null) return;
    if (pick === null && open !== null && open !== id) await this.bringBack(open);
    else if (open !== id || (pick !== null && this.waitingPick(id) === null)) await this.bringBack(id, session);
  }

  /** Shows no comparison of the visitor any more. */
  forget(): void {
    this.controller.abort();
    this.forgetId();
    this.show(IDLE);
  }

  /** Casts the visitor's ballot, once: only the first one counts, and it reveals who wrote what. */
  pick(winner: Winner): void {
    const session = this.current.value;
    if (!canPick(session, winner)) return;
    this.show({ ...session, pick: winner, kept: false, trouble: null });
    const path = `/compare/${encodeURIComponent(session.id)}/vote`;
    this.outbox.put(PREFIX + session.id, { method: 'POST', path, body: { winner } });
  }

  /** Fetches a comparison again. `meanwhile` is shown until it is there. */
  private async bringBack(id: string, meanwhile: Session = { ...IDLE, phase: 'fetching', id }): Promise<void> {
    const pick = this.waitingPick(id);
    await this.replace({ ...meanwhile, pick, kept: pick !== null }, async (signal) => {
      const answer = await this.server.recall(id, signal);
      if (!signal.aborted) this.show(afterRecall(this.current.value, answer));
    });
    const { phase, trouble } = this.current.value;
    // It does not exist any more, or can no longer be voted on.
    if (phase === 'closed' && !trouble?.passes) this.forget();
  }

  private async replace(first: Session, fill: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.show(first);
    try {
      await fill(signal);
      this.pause = FIRST_PAUSE_MS;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Trouble)) throw error;
      this.show({ ...this.current.value, phase: 'closed', trouble: error, retryAt: this.nextTry(error) });
    }
  }

  private nextTry(trouble: Trouble): number | null {
    if (!trouble.passes) return null;
    if (trouble.kind === 'offline') return Date.now(); // as soon as the device is back
    const pause = this.pause;
    this.pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    return trouble.retryAt ?? Date.now() + pause;
  }

  private show(session: Session): void {
    const { phase, id, reveal } = session;
    if (phase === 'open' && reveal === null) this.memory.shared.setItem(STORED_AS, id);
    if (reveal !== null) {
      this.memory.tab.setItem(STORED_AS, id);
      if (this.memory.shared.getItem(STORED_AS) === id) this.memory.shared.removeItem(STORED_AS);
    }
    this.current.value = session;
  }

  private forgetId(): void {
    this.memory.shared.removeItem(STORED_AS);
    this.memory.tab.removeItem(STORED_AS);
  }

  private waitingPick(id: string): Winner | null {
    const body = this.outbox.waiting(PREFIX + id)?.body as { winner: Winner } | undefined;
    return body?.winner ?? null;
  }
}

/** Whether the visitor can pick this: `tie` and `none` always, a slot when it has a saying. */
export function canPick({ phase, answers, pick }: Session, winner: Winner): boolean {
  if (phase !== 'open' || pick !== null) return false;
  return winner === 'tie' || winner === 'none' || answers[winner]?.saying != null;
}

function afterStep(session: Session, step: Step): Session {
  switch (step.event) {
    case 'comparison': {
      const { comparisonId: id, service, replayed, reason } = step.data;
      return { ...session, id, service, replayed, reason };
    }
    case 'progress':
      return { ...session, landed: step.data.landed, slots: ALL_SLOTS.slice(0, step.data.of) };
    case 'slots':
      return { ...session, ...withAnswers(step.data.slots) };
    case 'done':
      return { ...session, phase: step.data.votable ? 'open' : 'closed' };
  }
}

function withAnswers(slots: readonly SlotAnswer[]): Pick<Session, 'slots' | 'landed' | 'answers'> {
  const answers = Object.fromEntries(slots.map((answer) => [answer.slot, answer]));
  return { slots: slots.map(({ slot }) => slot), landed: slots.length, answers };
}

/** A pick that waited may have been delivered meanwhile, so that the session can know more than the answer. */
function afterRecall(session: Session, { service, votable, slots, vote, revealed }: ComparisonView): Session {
  const filled = { ...session, ...withAnswers(slots), service };
  if (vote === null || revealed === null) return { ...filled, phase: votable ? 'open' : 'closed' };
  const reveal = { winner: vote, slots: revealed, late: false, unverified: false };
  return { ...filled, phase: 'open', pick: vote, kept: false, reveal };
}

function afterDelivery(session: Session, delivery: Delivery): Session {
  if (delivery.outcome === 'answered') {
    const { winner, slots, status } = delivery.answer as CompareVoteAnswer;
    const reveal = { winner, slots, late: status === 'after_reveal', unverified: status === 'unverified' };
    return { ...session, pick: winner, kept: false, trouble: null, reveal };
  }
  if (delivery.outcome === 'kept') return { ...session, kept: true, trouble: delivery.trouble };
  return { ...session, pick: null, kept: false, trouble: delivery.trouble };
}
