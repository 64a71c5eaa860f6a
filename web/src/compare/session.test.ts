import { describe, expect, it } from 'vitest';
import { Trouble } from '../api/client';
import { type Letter, Outbox } from '../votes/outbox';
import type { Step } from './ask';
import { canPick, Sessions } from './session';

const STARTED: Step = {
  event: 'comparison',
  data: { comparisonId: 'c1', service: 'AWS Lambda', replayed: false, slots: ['A', 'B', 'C', 'D'] },
};
const answered = (slot: 'A' | 'B' | 'C' | 'D'): Step => ({ event: 'slot', data: { slot, saying: 'x', error: null } });
const FAILED: Step = { event: 'slot', data: { slot: 'D', saying: null, error: 'timeout' } };
const DONE: Step = { event: 'done', data: { comparisonId: 'c1', votable: true } };
const ALL = [STARTED, answered('C'), answered('A'), FAILED, answered('B'), DONE];

async function* steps(given: readonly (Step | Trouble)[]): AsyncGenerator<Step> {
  for (const step of given) {
    if (step instanceof Trouble) throw step;
    yield step;
  }
}

/** Waits until all promises that can settle have settled. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** Sessions that get the given steps, with a server that answers a ballot with its winner. */
function table(given: readonly (Step | Trouble)[] = ALL, ...troubles: Trouble[]) {
  const sent: Letter[] = [];
  const held = new Map<string, string>();
  const outbox = new Outbox({
    send: async (letter) => {
      sent.push(letter);
      const trouble = troubles.shift();
      if (trouble) throw trouble;
      return { comparisonId: 'c1', winner: (letter.body as { winner: string }).winner, status: 'recorded', slots: [] };
    },
    storage: {
      getItem: (key) => held.get(key) ?? null,
      setItem: (key, value) => void held.set(key, value),
      removeItem: (key) => void held.delete(key),
    },
    exclusively: (work) => work(),
    later: () => undefined,
  });
  const sessions = new Sessions(() => steps(given), outbox);
  return { sessions, outbox, sent, now: () => sessions.current.value };
}

describe('a comparison', () => {
  it('fills as the answers come in', async () => {
    const { sessions, now } = table();
    const landed: number[] = [];
    sessions.current.follow(({ answers }) => landed.push(Object.keys(answers).length));

    await sessions.start('AWS Lambda');

    expect(landed).toEqual([0, 0, 1, 2, 3, 4, 4]);
    expect(now()).toMatchObject({ phase: 'open', id: 'c1', service: 'AWS Lambda' });
  });

  it('lets the visitor pick what has an answer', async () => {
    const { sessions, now } = table();
    const before = canPick(now(), 'tie');

    await sessions.start(null);

    expect(before).toBe(false);
    expect((['A', 'D', 'tie', 'none'] as const).map((winner) => canPick(now(), winner))).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it('is closed with too few answers', async () => {
    const { sessions, now } = table([STARTED, FAILED, { event: 'done', data: { comparisonId: 'c1', votable: false } }]);

    await sessions.start(null);

    expect(now().phase).toBe('closed');
    expect(canPick(now(), 'none')).toBe(false);
  });

  it('says what went wrong, and can be asked for again', async () => {
    const trouble = new Trouble('unreachable', 'The answers stopped coming.');
    const { sessions, now } = table([STARTED, answered('A'), trouble]);

    await sessions.start(null);

    expect(now()).toMatchObject({ phase: 'closed', trouble });
    expect(now().answers.A?.saying).toBe('x');
  });

  it('is replaced by the next one', async () => {
    const { sessions, now } = table();

    await Promise.all([sessions.start('AWS Lambda'), sessions.start(null)]);

    expect(now()).toMatchObject({ phase: 'open' });
    expect(Object.keys(now().answers)).toHaveLength(4);
  });
});

describe('a pick', () => {
  it('is sent, and reveals who wrote what', async () => {
    const { sessions, sent, now } = table();
    await sessions.start(null);

    sessions.pick('B');
    expect(now()).toMatchObject({ pick: 'B', reveal: null });
    await settled();

    expect(sent).toEqual([{ method: 'POST', path: '/compare/c1/vote', body: { winner: 'B' } }]);
    expect(now().reveal?.winner).toBe('B');
  });

  it('can be changed afterwards, but not for a slot without an answer', async () => {
    const { sessions, sent, now } = table();
    await sessions.start(null);

    for (const winner of ['B', 'D', 'B', 'tie'] as const) {
      sessions.pick(winner);
      await settled();
    }

    expect(sent.map(({ body }) => body)).toEqual([{ winner: 'B' }, { winner: 'tie' }]);
    expect(now().reveal?.winner).toBe('tie');
  });

  it('made offline is kept and sent later', async () => {
    const { sessions, outbox, now } = table(ALL, new Trouble('offline', 'You are offline.'));
    await sessions.start(null);

    sessions.pick('A');
    await settled();
    expect(now()).toMatchObject({ pick: 'A', kept: true, reveal: null });
    await outbox.flush();

    expect(now()).toMatchObject({ pick: 'A', kept: false, trouble: null, reveal: { winner: 'A' } });
  });

  it('that is refused goes back to the one before', async () => {
    const expired = new Trouble('refused', 'This comparison was shown more than a day ago.', { status: 409 });
    const { sessions, now } = table(ALL, expired);
    await sessions.start(null);

    sessions.pick('A');
    await settled();

    expect(now()).toMatchObject({ pick: null, trouble: expired, reveal: null });
  });
});
