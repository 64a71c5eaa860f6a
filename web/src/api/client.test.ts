import { afterEach, describe, expect, it, vi } from 'vitest';
import { fetchJson, retryAt, Trouble } from './client';

const NOW = Date.parse('2026-11-20T12:00:00Z');

function serverAnswers(body: string, init: ResponseInit = {}) {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(body, init)));
}

async function troubleOf(asking: Promise<unknown>): Promise<Trouble> {
  return asking.then(
    () => expect.unreachable(),
    (error) => {
      expect(error).toBeInstanceOf(Trouble);
      return error;
    },
  );
}

afterEach(() => vi.unstubAllGlobals());

describe('a request', () => {
  it('returns the JSON of the answer', async () => {
    serverAnswers('{"models": []}');

    expect(await fetchJson('/models')).toEqual({ models: [] });
  });

  it('sends a body as JSON', async () => {
    const fetch = vi.fn(() => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', fetch);

    await fetchJson('/compare', { method: 'POST', body: { service: 'AWS Lambda' } });

    expect(fetch).toHaveBeenCalledWith('/compare', {
      method: 'POST',
      headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
      body: '{"service":"AWS Lambda"}',
      signal: expect.any(AbortSignal),
    });
  });

  it('has the error’s message, request id and retry time', async () => {
    const body = { error: { code: 'no_saying_available', message: 'Not now.' }, requestId: 'abc' };
    serverAnswers(JSON.stringify(body), { status: 503, headers: { 'Retry-After': '7' } });

    const trouble = await troubleOf(fetchJson('/sayings'));

    expect(trouble).toMatchObject({ kind: 'refused', message: 'Not now.', requestId: 'abc', status: 503 });
    expect(Math.round(((trouble.retryAt ?? 0) - Date.now()) / 1000)).toBe(7);
  });

  it.each(['<html>Bad gateway</html>', '', 'null', '[]'])('copes with an error that is not ours: %j', async (body) => {
    serverAnswers(body, { status: 502 });

    expect(await troubleOf(fetchJson('/sayings'))).toMatchObject({
      message: 'The server answered 502.',
      requestId: '',
    });
  });

  it('fails when the answer is not JSON', async () => {
    serverAnswers('<html>');

    expect(await troubleOf(fetchJson('/sayings'))).toMatchObject({ kind: 'nonsense', passes: true });
  });

  it('distinguishes an unreachable server from offline', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    const there = await troubleOf(fetchJson('/sayings'));
    vi.stubGlobal('navigator', { onLine: false });
    const offline = await troubleOf(fetchJson('/sayings'));

    expect([there.kind, offline.kind]).toEqual(['unreachable', 'offline']);
  });

  it('throws the reason when it is aborted', async () => {
    const controller = new AbortController();
    vi.stubGlobal('fetch', () => Promise.reject(new DOMException('', 'AbortError')));
    controller.abort('newer');

    await expect(fetchJson('/sayings', { signal: controller.signal })).rejects.toBe('newer');
  });
});

it.each([
  [408, true],
  [429, true],
  [503, true],
  [400, false],
  [404, false],
  [409, false],
])('status %i passes with time: %s', (status, passes) => {
  expect(new Trouble('refused', '', { status }).passes).toBe(passes);
});

it.each([
  ['30', NOW + 30_000],
  ['Fri, 20 Nov 2026 12:01:00 GMT', NOW + 60_000],
  ['-5', NOW],
  ['soon', null],
  ['', null],
  [null, null],
  ['inf', null],
])('Retry-After %j is %j', (header, expected) => {
  expect(retryAt(header, NOW)).toBe(expected);
});
