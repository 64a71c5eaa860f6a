/** The comparison on the page, from the request to the reveal. It goes on while the visitor looks at another view. */

import { Trouble } from '../api/client';
import type { CompareVoteAnswer, ComparisonView, ReplayReason, Slot, SlotAnswer, Winner } from '../api/types';
import type { Keep } from '../shared/storage';
import { Store } from '../shared/store';
import type { Delivery, Outbox } from '../votes/outbox';
import type { Step, Wish } from './ask';

export interface Session {
  /**
   * `running`: the models are writing. `returning`: the comparison of before a reload is fetched again. `open`: all
   * answers are there. `closed`: there are too few of them to pick one.
   */
  phase: 'idle' | 'running' | 'returning' | 'open' | 'closed';
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
}

/** Who wrote what. `winner` is the visitor's first pick; `late` when they have picked another one after the reveal. */
export interface Reveal extends Pick<CompareVoteAnswer, 'winner' | 'slots'> {
  late: boolean;
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
};
const PREFIX = 'comparison:';
const STORED_AS = 'sayings.comparison';

export interface Server {
  ask: (wish: Wish, signal: AbortSignal) => AsyncIterable<Step>;
  recall: (id: string, signal: AbortSignal) => Promise<ComparisonView>;
}

export class Sessions {
  readonly current = new Store(IDLE);
  private readonly server: Server;
  private readonly outbox: Outbox;
  /** It has the id of the open comparison, so that a reload brings it back. */
  private readonly memory: Keep;
  private controller = new AbortController();

  constructor(server: Server, outbox: Outbox, memory: Keep) {
    this.server = server;
    this.outbox = outbox;
    this.memory = memory;
    outbox.follow((delivery) => {
      if (delivery.key !== PREFIX + this.current.value.id) return;
      this.current.value = afterDelivery(this.current.value, delivery);
    });
  }

  /** Asks all models, or for a comparison that was made earlier. The comparison before ends. */
  async start(wish: Wish): Promise<void> {
    this.memory.removeItem(STORED_AS);
    await this.replace({ ...IDLE, phase: 'running', service: wish.service ?? '' }, async (signal) => {
      for await (const step of this.server.ask(wish, signal)) {
        if (signal.aborted) return;
        this.current.value = afterStep(this.current.value, step);
        if (this.current.value.phase === 'open') this.memory.setItem(STORED_AS, this.current.value.id);
      }
    });
  }

  /** Brings back the comparison that was open when the page was left, with its reveal if the visitor had picked. */
  async restore(): Promise<void> {
    const id = this.memory.getItem(STORED_AS);
    if (id === null || this.current.value.phase !== 'idle') return;
    const pick = this.waitingPick(id);
    await this.replace({ ...IDLE, phase: 'returning', id, pick, kept: pick !== null }, async (signal) => {
      const answer = await this.server.recall(id, signal);
      if (!signal.aborted) this.current.value = afterRecall(this.current.value, answer);
    });
    const { trouble } = this.current.value;
    if (trouble && !trouble.passes) this.forget(); // it does not exist any more
  }

  /** Shows no comparison of the visitor any more. */
  forget(): void {
    this.controller.abort();
    this.memory.removeItem(STORED_AS);
    this.current.value = IDLE;
  }

  /** Casts the visitor's ballot, once: only the first one counts, and it reveals who wrote what. */
  pick(winner: Winner): void {
    const session = this.current.value;
    if (!canPick(session, winner)) return;
    this.current.value = { ...session, pick: winner, kept: false, trouble: null };
    const path = `/compare/${encodeURIComponent(session.id)}/vote`;
    this.outbox.put(PREFIX + session.id, { method: 'POST', path, body: { winner } });
  }

  private async replace(first: Session, fill: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.current.value = first;
    try {
      await fill(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Trouble)) throw error;
      this.current.value = { ...this.current.value, phase: 'closed', trouble: error };
    }
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
  const reveal = { winner: vote, slots: revealed, late: false };
  return { ...filled, phase: 'open', pick: vote, kept: false, reveal };
}

function afterDelivery(session: Session, delivery: Delivery): Session {
  if (delivery.outcome === 'answered') {
    const { winner, slots, status } = delivery.answer as CompareVoteAnswer;
    const reveal = { winner, slots, late: status === 'after_reveal' };
    return { ...session, pick: winner, kept: false, trouble: null, reveal };
  }
  if (delivery.outcome === 'kept') return { ...session, kept: true, trouble: delivery.trouble };
  return { ...session, pick: null, kept: false, trouble: delivery.trouble };
}
