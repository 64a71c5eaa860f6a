import { describe, expect, it, vi } from 'vitest';
import { Trouble } from '../api/client';
import { type Around, type Letter, type News, Outbox } from './outbox';

const UP: Letter = { method: 'POST', path: '/feedback', body: { feedbackType: 'POSITIVE' } };
const DOWN: Letter = { method: 'POST', path: '/feedback', body: { feedbackType: 'NEGATIVE' } };
const BACK: Letter = { method: 'DELETE', path: '/feedback/1' };
const OFFLINE = new Trouble('offline', 'You are offline.');
const BUSY = new Trouble('refused', 'Not now.', { status: 503, retryAt: 0 });
const WRONG = new Trouble('refused', 'No such saying is known.', { status: 404 });

/** All that can happen without another call of ours has happened. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A server that answers in turn, an outbox before it, and what came of it. */
function desk(...answers: (Trouble | 'fine')[]) {
  const sent: Letter[] = [];
  const news: News[] = [];
  const timers: { work: () => void; ms: number }[] = [];
  const held = new Map<string, string>();
  const around: Around = {
    send: async (letter) => {
      sent.push(letter);
      const answer = answers.shift() ?? 'fine';
      if (answer instanceof Trouble) throw answer;
      return answer;
    },
    storage: { getItem: (key) => held.get(key) ?? null, setItem: (key, value) => void held.set(key, value) },
    exclusively: (work) => work(),
    later: (work, ms) => timers.push({ work, ms }),
  };
  const outbox = new Outbox(around);
  outbox.follow((item) => news.push(item));
  return { outbox, sent, news, timers, held, around, outcomes: () => news.map(({ outcome }) => outcome) };
}

describe('the outbox', () => {
  it('sends a letter and forgets it', async () => {
    const { outbox, sent, news, held } = desk('fine');

    outbox.put('a', UP);
    await settled();

    expect(sent).toEqual([UP]);
    expect(news).toEqual([{ key: 'a', letter: UP, outcome: 'answered', answer: 'fine', late: false }]);
    expect([...held.values()]).toEqual(['{}']);
  });

  it('keeps what is written offline and sends it once when the connection is back', async () => {
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

  it('is still there after the page was closed', async () => {
    const before = desk(OFFLINE);
    before.outbox.put('a', UP);
    await settled();

    const after = new Outbox({ ...before.around });
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

  it('sends the next one after the one that is on its way', async () => {
    const { outbox, sent, outcomes } = desk('fine', 'fine');

    outbox.put('a', UP); // is sent at once
    outbox.put('a', DOWN);
    await settled();

    expect(sent).toEqual([UP, DOWN]);
    expect(outcomes()).toEqual(['answered', 'answered']);
  });

  it('takes back only what the server cannot have seen', async () => {
    const offline = desk(OFFLINE);
    offline.outbox.put('a', UP);
    await settled();

    expect(offline.outbox.recall('a')).toBe(false);
    expect(offline.outbox.recall('b')).toBe(true);
  });

  it('drops what the server refuses and goes on', async () => {
    const { outbox, sent, outcomes } = desk(OFFLINE, WRONG, 'fine');
    outbox.put('a', UP);
    await settled();

    outbox.put('b', DOWN);
    await settled();

    expect(sent).toEqual([UP, UP, DOWN]);
    expect(outcomes()).toEqual(['kept', 'refused', 'answered']);
  });

  it('lets nothing that the server cannot take now hold up the rest', async () => {
    const { outbox, sent, outcomes } = desk(OFFLINE, BUSY, 'fine');
    outbox.put('a', UP);
    await settled();

    outbox.put('b', DOWN);
    await settled();

    expect(sent).toEqual([UP, UP, DOWN]);
    expect(outcomes()).toEqual(['kept', 'kept', 'answered']);
    expect(outbox.waiting('a')).toEqual(UP);
  });

  it('comes back by itself, later each time, and not sooner than asked', async () => {
    const asked = new Trouble('refused', 'Too many.', { status: 429, retryAt: Date.now() + 90_000 });
    const { outbox, timers } = desk(BUSY, BUSY, BUSY, asked);

    outbox.put('a', UP);
    await settled();
    for (let round = 0; round < 3; round++) await outbox.flush();

    expect(timers.map(({ ms }) => Math.round(ms / 1000))).toEqual([4, 8, 16, 90]);
  });

  it('waits for the connection, not for the clock, when offline', async () => {
    const { outbox, timers } = desk(OFFLINE);

    outbox.put('a', UP);
    await settled();

    expect(timers).toEqual([]);
  });

  it.each(['', 'not json', 'null', '[]', '{"a": 1}', '{"a": {"letter": null}}'])('starts anew from %j', (found) => {
    const { around } = desk();
    around.storage.setItem('sayings.outbox', found);

    expect(new Outbox(around).waiting('a')).toBeNull();
  });

  it('lets one tab at a time send, which finds what another one has sent already', async () => {
    const { around, sent } = desk(OFFLINE);
    let queue = Promise.resolve();
    const exclusively = (work: () => Promise<void>) => {
      queue = queue.then(work);
      return queue;
    };
    const tabs = [new Outbox({ ...around, exclusively }), new Outbox({ ...around, exclusively })];
    tabs[0]?.put('a', UP);
    await queue;

    await Promise.all(tabs.map((tab) => tab.flush()));

    expect(sent).toEqual([UP, UP]); // offline, then once
  });

  it('does not lose what is put in while it finishes', async () => {
    const { outbox, sent, around } = desk();
    const gate = vi.fn(async (work: () => Promise<void>) => {
      await work();
      if (sent.length === 1) outbox.put('b', DOWN); // before anybody was told that the sending is over
    });
    around.exclusively = gate;

    outbox.put('a', UP);
    await settled();

    expect(sent).toEqual([UP, DOWN]);
  });
});
