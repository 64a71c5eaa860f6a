import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Trouble } from '../api/client';
import { EVERY_MS, Feed, nextTry } from './feed';
import { empty } from './fixtures';

const call = vi.hoisted(() => vi.fn());
vi.mock('../api/client', async (original) => ({ ...(await original<typeof import('../api/client')>()), call }));

class Page extends EventTarget {
  hidden = false;

  look(hidden: boolean): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

let page: Page;

beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
  const window = new EventTarget();
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window));
  vi.stubGlobal('dispatchEvent', window.dispatchEvent.bind(window));
  call.mockReset().mockResolvedValue(empty());
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settled = () => vi.advanceTimersByTimeAsync(0);

describe('the feed', () => {
  test('fetches at once and every two minutes', async () => {
    const feed = new Feed();
    const stop = feed.start();
    await settled();
    expect(feed.state.value).toEqual({ stats: empty(), trouble: null, loading: false });

    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    expect(call).toHaveBeenCalledTimes(3);

    stop();
    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    expect(call).toHaveBeenCalledTimes(3);
  });

  test('rests while nobody looks, and is there when somebody does', async () => {
    new Feed().start();
    await settled();
    page.look(true);
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect(call).toHaveBeenCalledTimes(1);

    page.look(false);
    expect(call).toHaveBeenCalledTimes(2);
  });

  test('does not begin in a tab that nobody has looked at', async () => {
    page.hidden = true;
    new Feed().start();
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(call).not.toHaveBeenCalled();

    page.look(false);
    expect(call).toHaveBeenCalledTimes(1);
  });

  test('does not fetch again for who comes back soon', async () => {
    const feed = new Feed();
    const stop = feed.start();
    await settled();
    stop();
    feed.start();
    expect(call).toHaveBeenCalledTimes(1);

    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(call).toHaveBeenCalledTimes(2);
  });

  test('keeps the figures it has when newer ones do not come, and tries again sooner', async () => {
    const feed = new Feed();
    feed.start();
    await settled();
    const trouble = new Trouble('unreachable', 'The server could not be reached.');
    call.mockRejectedValueOnce(trouble);
    await feed.refresh();
    expect(feed.state.value).toEqual({ stats: empty(), trouble, loading: false });

    await vi.advanceTimersByTimeAsync(20_000);
    expect(feed.state.value.trouble).toBeNull();
  });

  test('asks once, however often it is told to', async () => {
    const feed = new Feed();
    feed.start();
    void feed.refresh();
    await settled();

    expect(call).toHaveBeenCalledTimes(1);
  });

  test('fetches when the network is back', async () => {
    call.mockRejectedValueOnce(new Trouble('offline', 'You are offline.'));
    const feed = new Feed();
    feed.start();
    await settled();
    dispatchEvent(new Event('online'));
    await settled();

    expect(feed.state.value.stats).toEqual(empty());
  });

  test('takes no answer for a view that is gone', async () => {
    let fail = (_: unknown): void => {};
    call.mockImplementationOnce((_path, { signal }) => {
      signal.addEventListener('abort', () => fail(signal.reason));
      return new Promise((_, reject) => {
        fail = reject;
      });
    });
    const feed = new Feed();
    feed.start()();
    await settled();

    expect(feed.state.value).toEqual({ stats: null, trouble: null, loading: false });
  });
});

test('comes back when the server says, if it says', () => {
  expect(nextTry(null, 0)).toBe(EVERY_MS);
  expect(nextTry(new Trouble('refused', '', { status: 503, retryAt: 60_000 }), 0)).toBe(60_000);
  expect(nextTry(new Trouble('refused', '', { status: 503, retryAt: 1000 }), 0)).toBe(20_000);
  expect(nextTry(new Trouble('refused', '', { status: 404 }), 0)).toBe(EVERY_MS);
});
