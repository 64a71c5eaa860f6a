import { afterEach, describe, expect, it, vi } from 'vitest';
import { call, retryAt, Trouble } from './client';

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

describe('call', () => {
  it('gives the JSON that was answered', async () => {
    serverAnswers('{"models": []}');

    expect(await call('/models')).toEqual({ models: [] });
  });

  it('sends a body as JSON', async () => {
    const fetch = vi.fn(() => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', fetch);

    await call('/compare', { method: 'POST', body: { service: 'AWS Lambda' } });

    expect(fetch).toHaveBeenCalledWith('/compare', {
      method: 'POST',
      headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
      body: '{"service":"AWS Lambda"}',
      signal: expect.any(AbortSignal),
    });
  });

  it('tells an error of the API in its own words, with its id and when to come back', async () => {
    const body = { error: { code: 'no_saying_available', message: 'Not now.' }, requestId: 'abc' };
    serverAnswers(JSON.stringify(body), { status: 503, headers: { 'Retry-After': '7' } });

    const trouble = await troubleOf(call('/sayings'));

    expect(trouble).toMatchObject({ kind: 'refused', message: 'Not now.', requestId: 'abc', status: 503 });
    expect(Math.round(((trouble.retryAt ?? 0) - Date.now()) / 1000)).toBe(7);
  });

  it.each(['<html>Bad gateway</html>', '', 'null', '[]'])(
    'makes do with an error that says nothing: %j',
    async (body) => {
      serverAnswers(body, { status: 502 });

      expect(await troubleOf(call('/sayings'))).toMatchObject({ message: 'The server answered 502.', requestId: '' });
    },
  );

  it('says so when an answer is no JSON', async () => {
    serverAnswers('<html>');

    expect(await troubleOf(call('/sayings'))).toMatchObject({ kind: 'nonsense', passes: true });
  });

  it('tells an unreachable server from being offline', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    const there = await troubleOf(call('/sayings'));
    vi.stubGlobal('navigator', { onLine: false });
    const offline = await troubleOf(call('/sayings'));

    expect([there.kind, offline.kind]).toEqual(['unreachable', 'offline']);
  });

  it('ends with the reason when it is called off', async () => {
    const controller = new AbortController();
    vi.stubGlobal('fetch', () => Promise.reject(new DOMException('', 'AbortError')));
    controller.abort('newer');

    await expect(call('/sayings', { signal: controller.signal })).rejects.toBe('newer');
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
