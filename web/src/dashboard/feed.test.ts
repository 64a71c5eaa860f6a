import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Trouble } from '../api/client';
import { EVERY_MS, Feed, nextFigures, nextTry } from './feed';
import { empty } from './fixtures';

const fetchJson = vi.hoisted(() => vi.fn());
vi.mock('../api/client', async (original) => ({ ...(await original<typeof import('../api/client')>()), fetchJson }));

class Page extends EventTarget {
  hidden = false;

  look(hidden: boolean): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

let page: Page;

const fresh = () => empty({ generatedAt: new Date().toISOString() });

beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
  const window = new EventTarget();
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window));
  vi.stubGlobal('dispatchEvent', window.dispatchEvent.bind(window));
  fetchJson.mockReset().mockImplementation(async () => fresh());
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
    expect(feed.state.value).toEqual({ stats: fresh(), trouble: null, retryAt: null, loading: false });

    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    expect(fetchJson).toHaveBeenCalledTimes(3);

    stop();
    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    expect(fetchJson).toHaveBeenCalledTimes(3);
  });

  test('pauses while the tab is hidden', async () => {
    new Feed().start();
    await settled();
    page.look(true);
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect(fetchJson).toHaveBeenCalledTimes(1);

    page.look(false);
    expect(fetchJson).toHaveBeenCalledTimes(2);
  });

  test('does not begin in a tab that was never visible', async () => {
    page.hidden = true;
    new Feed().start();
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(fetchJson).not.toHaveBeenCalled();

    page.look(false);
    expect(fetchJson).toHaveBeenCalledTimes(1);
  });

  test('does not fetch again when the view returns soon', async () => {
    const feed = new Feed();
    const stop = feed.start();
    await settled();
    stop();
    feed.start();
    expect(fetchJson).toHaveBeenCalledTimes(1);

    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(fetchJson).toHaveBeenCalledTimes(2);
  });

  test('keeps its figures after a failure and tries again sooner', async () => {
    const feed = new Feed();
    feed.start();
    await settled();
    const trouble = new Trouble('unreachable', 'The server could not be reached.');
    fetchJson.mockRejectedValueOnce(trouble);
    const stats = fresh();
    await feed.refresh();
    expect(feed.state.value).toEqual({ stats, trouble, retryAt: Date.now() + 20_000, loading: false });

    await vi.advanceTimersByTimeAsync(20_000);
    expect(feed.state.value.trouble).toBeNull();
  });

  test('sends one request at a time', async () => {
    const feed = new Feed();
    feed.start();
    void feed.refresh();
    await settled();

    expect(fetchJson).toHaveBeenCalledTimes(1);
  });

  test('fetches when the network is back', async () => {
    fetchJson.mockRejectedValueOnce(new Trouble('offline', 'You are offline.'));
    const feed = new Feed();
    feed.start();
    await settled();
    dispatchEvent(new Event('online'));
    await settled();

    expect(feed.state.value.stats).toEqual(fresh());
  });

  test('drops the answer when the view is gone', async () => {
    let fail = (_: unknown): void => {};
    fetchJson.mockImplementationOnce((_path, { signal }) => {
      signal.addEventListener('abort', () => fail(signal.reason));
      return new Promise((_, reject) => {
        fail = reject;
      });
    });
    const feed = new Feed();
    feed.start()();
    await settled();

    expect(feed.state.value).toEqual({ stats: null, trouble: null, retryAt: null, loading: false });
  });
});

test('tries again when the server says, if it says', () => {
  expect(nextTry(new Trouble('refused', '', { status: 503, retryAt: 60_000 }), 0)).toBe(60_000);
  expect(nextTry(new Trouble('refused', '', { status: 503, retryAt: 1000 }), 0)).toBe(20_000);
  expect(nextTry(new Trouble('refused', '', { status: 404 }), 0)).toBe(EVERY_MS);
});

test('asks for newer figures when the server has them', () => {
  const at = Date.parse('2026-11-20T14:32:00Z');

  expect(nextFigures('2026-11-20T14:31:00Z', at)).toBe(at + 60_000);
  expect(nextFigures('2026-11-20T13:00:00Z', at)).toBe(at + 20_000);
  expect(nextFigures('2026-11-20T15:00:00Z', at)).toBe(at + EVERY_MS);
});
