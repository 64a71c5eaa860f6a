import { describe, expect, it, vi } from 'vitest';
import { Trouble } from '../api/client';
import { type Delivery, type Environment, type Letter, Outbox } from './outbox';

const UP: Letter = { method: 'POST', path: '/feedback', body: { feedbackType: 'POSITIVE' } };
const DOWN: Letter = { method: 'POST', path: '/feedback', body: { feedbackType: 'NEGATIVE' } };
const BACK: Letter = { method: 'DELETE', path: '/feedback/1' };
const OFFLINE = new Trouble('offline', 'You are offline.');
const BUSY = new Trouble('refused', 'Not now.', { status: 503, retryAt: 0 });
const WRONG = new Trouble('refused', 'No such saying is known.', { status: 404 });

/** Waits until all promises that can settle have settled. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** An outbox before a server that gives these answers in turn, and a record of all that happens. */
function desk(...answers: (Trouble | 'fine')[]) {
  const sent: Letter[] = [];
  const deliveries: Delivery[] = [];
  const timers: { work: () => void; ms: number }[] = [];
  const held = new Map<string, string>();
  const environment: Environment = {
    send: async (letter) => {
      sent.push(letter);
      const answer = answers.shift() ?? 'fine';
      if (answer instanceof Trouble) throw answer;
      return answer;
    },
    storage: {
      getItem: (key) => held.get(key) ?? null,
      setItem: (key, value) => void held.set(key, value),
      removeItem: (key) => void held.delete(key),
    },
    exclusively: (work) => work(),
    later: (work, ms) => timers.push({ work, ms }),
  };
  const outbox = new Outbox(environment);
  outbox.follow((delivery) => deliveries.push(delivery));
  return {
    outbox,
    sent,
    deliveries,
    timers,
    held,
    environment,
    outcomes: () => deliveries.map(({ outcome }) => outcome),
  };
}

describe('the outbox', () => {
  it('sends a letter and forgets it', async () => {
    const { outbox, sent, deliveries, held } = desk('fine');

    outbox.put('a', UP);
    await settled();

    expect(sent).toEqual([UP]);
    expect(deliveries).toEqual([{ key: 'a', letter: UP, outcome: 'answered', answer: 'fine', late: false }]);
    expect([...held.keys()]).toEqual([]);
  });

  it('keeps an offline letter and sends it once when back', async () => {
    const { outbox, sent, outcomes } = desk(OFFLINE);
    outbox.put('a', UP);
    await settled();
    expect(outbox.kept.value).toBe(1);

    await outbox.flush();
    await outbox.flush();

    expect(sent).toEqual([UP, UP]);
    expect(outcomes()).toEqual(['kept', 'answered']);
    expect(outbox.kept.value).toBe(0);
  });

  it('survives that the page is closed', async () => {
    const before = desk(OFFLINE);
    before.outbox.put('a', UP);
    await settled();

    const after = new Outbox({ ...before.environment });
    expect(after.waiting('a')).toEqual(UP);
    expect(after.kept.value).toBe(1);
    await after.flush();

    expect(before.sent).toEqual([UP, UP]);
    expect(after.waiting('a')).toBeNull();
  });

  it('sends only the last of several under one key', async () => {
    const { outbox, sent } = desk();

    outbox.put('a', UP); // is sent at once
    outbox.put('a', DOWN);
    outbox.put('a', BACK);
    await settled();

    expect(sent).toEqual([UP, BACK]);
  });

  it('sends a newer letter after the one under way', async () => {
    const { outbox, sent, outcomes } = desk('fine', 'fine');

    outbox.put('a', UP); // is sent at once
    outbox.put('a', DOWN);
    await settled();

    expect(sent).toEqual([UP, DOWN]);
    expect(outcomes()).toEqual(['answered', 'answered']);
  });

  it('recalls only what the server cannot have seen', async () => {
    const offline = desk(OFFLINE);
    offline.outbox.put('a', UP);
    await settled();

    expect(offline.outbox.recall('a')).toBe(false);
    expect(offline.outbox.recall('b')).toBe(true);
  });

  it('drops what the server refuses and goes on', async () => {
    const { outbox, sent, deliveries } = desk(OFFLINE, WRONG, 'fine');
    outbox.put('a', UP);
    await settled();

    outbox.put('b', DOWN);
    await settled();

    expect(sent).toEqual([UP, UP, DOWN]);
    expect(deliveries.map(({ outcome, late }) => [outcome, late])).toEqual([
      ['kept', false],
      ['refused', true],
      ['answered', false],
    ]);
  });

  it('sends the others when one cannot be taken now', async () => {
    const { outbox, sent, outcomes } = desk(OFFLINE, BUSY, 'fine');
    outbox.put('a', UP);
    await settled();

    outbox.put('b', DOWN);
    await settled();

    expect(sent).toEqual([UP, UP, DOWN]);
    expect(outcomes()).toEqual(['kept', 'kept', 'answered']);
    expect(outbox.waiting('a')).toEqual(UP);
  });

  it('tries again, later each time, never sooner than asked', async () => {
    const asked = new Trouble('refused', 'Too many.', { status: 429, retryAt: Date.now() + 90_000 });
    const { outbox, timers } = desk(BUSY, BUSY, BUSY, asked);

    outbox.put('a', UP);
    await settled();
    for (let round = 0; round < 3; round++) await outbox.flush();

    expect(timers.map(({ ms }) => Math.round(ms / 1000))).toEqual([4, 8, 16, 90]);
  });

  it('sets no timer when offline', async () => {
    const { outbox, timers } = desk(OFFLINE);

    outbox.put('a', UP);
    await settled();

    expect(timers).toEqual([]);
  });

  it.each(['', 'not json', 'null', '[]', '{"a": 1}', '{"a": {"letter": null}}'])('starts anew from %j', (found) => {
    const { environment } = desk();
    environment.storage.setItem('sayings.outbox', found);

    expect(new Outbox(environment).waiting('a')).toBeNull();
  });

  it('sends a letter once, whichever tab comes first', async () => {
    const { environment, sent } = desk(OFFLINE);
    let queue = Promise.resolve();
    const exclusively = (work: () => Promise<void>) => {
      queue = queue.then(work);
      return queue;
    };
    const tabs = [new Outbox({ ...environment, exclusively }), new Outbox({ ...environment, exclusively })];
    tabs[0]?.put('a', UP);
    await queue;

    await Promise.all(tabs.map((tab) => tab.flush()));

    expect(sent).toEqual([UP, UP]); // offline, then once
  });

  it('throws waiting letters away and leaves nothing in the storage', async () => {
    const { outbox, sent, held } = desk(OFFLINE);
    outbox.put('a', UP);
    await settled();

    await outbox.discard();
    await outbox.flush();

    expect(sent).toEqual([UP]);
    expect([[...held.keys()], outbox.kept.value]).toEqual([[], 0]);
  });

  it('waits for the letter that is on its way before all are thrown away', async () => {
    const { outbox, environment, outcomes } = desk();
    let arrive = () => {};
    environment.send = () => new Promise((resolve) => (arrive = () => resolve('fine')));
    outbox.put('a', UP);
    outbox.put('b', DOWN);

    const discarded = outbox.discard().then(outcomes);
    arrive();

    expect(await discarded).toEqual(['answered']);
  });

  it('sends what is put in while it finishes', async () => {
    const { outbox, sent, environment } = desk();
    const gate = vi.fn(async (work: () => Promise<void>) => {
      await work();
      if (sent.length === 1) outbox.put('b', DOWN); // before `flush` learns that the work is over
    });
    environment.exclusively = gate;

    outbox.put('a', UP);
    await settled();

    expect(sent).toEqual([UP, DOWN]);
  });
});
