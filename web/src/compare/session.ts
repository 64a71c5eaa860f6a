/** The comparison on the page, from the request to the reveal. It goes on while the visitor looks at another view. */

import { Trouble } from '../api/client';
import type { CompareVoteAnswer, Slot, SlotAnswer, Winner } from '../api/types';
import { Store } from '../shared/store';
import type { Delivery, Outbox } from '../votes/outbox';
import type { Step } from './ask';

export interface Session {
  /** `running`: answers are arriving. `open`: the visitor can pick. `closed`: there are too few answers for that. */
  phase: 'idle' | 'running' | 'open' | 'closed';
  id: string;
  service: string;
  replayed: boolean;
  slots: readonly Slot[];
  answers: Partial<Record<Slot, SlotAnswer>>;
  /** The visitor's last pick. It may not be stored yet. */
  pick: Winner | null;
  /** Whether the pick could not be sent yet and waits in the outbox. */
  kept: boolean;
  reveal: CompareVoteAnswer | null;
  trouble: Trouble | null;
}

export const ALL_SLOTS: readonly Slot[] = ['A', 'B', 'C', 'D'];

const IDLE: Session = {
  phase: 'idle',
  id: '',
  service: '',
  replayed: false,
  slots: ALL_SLOTS,
  answers: {},
  pick: null,
  kept: false,
  reveal: null,
  trouble: null,
};
const PREFIX = 'comparison:';

type AskForSteps = (service: string | null, signal: AbortSignal) => AsyncIterable<Step>;

export class Sessions {
  readonly current = new Store(IDLE);
  private readonly ask: AskForSteps;
  private readonly outbox: Outbox;
  private controller = new AbortController();

  constructor(ask: AskForSteps, outbox: Outbox) {
    this.ask = ask;
    this.outbox = outbox;
    outbox.follow((delivery) => {
      if (delivery.key !== PREFIX + this.current.value.id) return;
      this.current.value = afterDelivery(this.current.value, delivery);
    });
  }

  /** Asks all models about one service, or about any when it is null. The comparison before ends. */
  async start(service: string | null): Promise<void> {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.current.value = { ...IDLE, phase: 'running', service: service ?? '' };
    try {
      for await (const step of this.ask(service, signal)) {
        if (signal.aborted) return;
        this.current.value = afterStep(this.current.value, step);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Trouble)) throw error;
      this.current.value = { ...this.current.value, phase: 'closed', trouble: error };
    }
  }

  /** Shows no comparison of the visitor any more. */
  forget(): void {
    this.controller.abort();
    this.current.value = IDLE;
  }

  /** Casts the visitor's ballot, or changes it. */
  pick(winner: Winner): void {
    const session = this.current.value;
    if (!canPick(session, winner) || session.pick === winner) return;
    this.current.value = { ...session, pick: winner, kept: false, trouble: null };
    const path = `/compare/${encodeURIComponent(session.id)}/vote`;
    this.outbox.put(PREFIX + session.id, { method: 'POST', path, body: { winner } });
  }
}

/** Whether the visitor can pick this: `tie` and `none` always, a slot when it has a saying. */
export function canPick({ phase, answers }: Session, winner: Winner): boolean {
  if (phase !== 'open') return false;
  return winner === 'tie' || winner === 'none' || answers[winner]?.saying != null;
}

function afterStep(session: Session, step: Step): Session {
  switch (step.event) {
    case 'comparison': {
      const { comparisonId: id, service, replayed, slots } = step.data;
      return { ...session, id, service, replayed, slots };
    }
    case 'slot':
      return { ...session, answers: { ...session.answers, [step.data.slot]: step.data } };
    case 'done':
      return { ...session, phase: step.data.votable ? 'open' : 'closed' };
  }
}

function afterDelivery(session: Session, delivery: Delivery): Session {
  const { winner } = delivery.letter.body as { winner: Winner };
  if (delivery.outcome === 'answered') {
    return { ...session, kept: false, trouble: null, reveal: delivery.answer as CompareVoteAnswer };
  }
  if (winner !== session.pick) return session; // a newer pick is being sent
  if (delivery.outcome === 'kept') return { ...session, kept: true, trouble: delivery.trouble };
  return { ...session, pick: session.reveal?.winner ?? null, trouble: delivery.trouble };
}
