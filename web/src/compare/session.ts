/** The comparison on the page, from asking to the reveal. It goes on while one looks at another view. */

import { Trouble } from '../api/client';
import type { CompareVoteAnswer, Slot, SlotAnswer, Winner } from '../api/types';
import { Store } from '../shared/store';
import type { News, Outbox } from '../votes/outbox';
import type { Step } from './ask';

export interface Session {
  /** `running`: answers are coming. `open`: one can vote. `closed`: one cannot, too little has come. */
  phase: 'idle' | 'running' | 'open' | 'closed';
  id: string;
  service: string;
  replayed: boolean;
  slots: readonly Slot[];
  answers: Partial<Record<Slot, SlotAnswer>>;
  /** What was picked last, counted or not yet. */
  pick: Winner | null;
  /** The pick could not be sent yet, and will be. */
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
    outbox.follow((news) => {
      if (news.key === PREFIX + this.current.value.id) this.current.value = heard(this.current.value, news);
    });
  }

  /** Ask all models, about one service or any. What was there before is gone. */
  async start(service: string | null): Promise<void> {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.current.value = { ...IDLE, phase: 'running', service: service ?? '' };
    try {
      for await (const step of this.ask(service, signal)) {
        if (signal.aborted) return;
        this.current.value = after(this.current.value, step);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Trouble)) throw error;
      this.current.value = { ...this.current.value, phase: 'closed', trouble: error };
    }
  }

  /** Vote, or vote otherwise. */
  pick(winner: Winner): void {
    const session = this.current.value;
    if (!canPick(session, winner) || session.pick === winner) return;
    this.current.value = { ...session, pick: winner, kept: false, trouble: null };
    const path = `/compare/${encodeURIComponent(session.id)}/vote`;
    this.outbox.put(PREFIX + session.id, { method: 'POST', path, body: { winner } });
  }
}

/** Whether this can be voted for: `tie` and `none` always, a slot if it has a saying. */
export function canPick({ phase, answers }: Session, winner: Winner): boolean {
  if (phase !== 'open') return false;
  return winner === 'tie' || winner === 'none' || answers[winner]?.saying != null;
}

function after(session: Session, step: Step): Session {
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

function heard(session: Session, news: News): Session {
  const { winner } = news.letter.body as { winner: Winner };
  if (news.outcome === 'answered') {
    return { ...session, kept: false, trouble: null, reveal: news.answer as CompareVoteAnswer };
  }
  if (winner !== session.pick) return session; // another pick is on its way already
  if (news.outcome === 'kept') return { ...session, kept: true, trouble: news.trouble };
  return { ...session, pick: session.reveal?.winner ?? null, trouble: news.trouble };
}
