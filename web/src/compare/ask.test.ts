import { afterEach, describe, expect, it, vi } from 'vitest';
import { Trouble } from '../api/client';
import { askForComparison, type Step, type Wish } from './ask';

const NEVER = new AbortController().signal;

function serverAnswers(body: string, type: string) {
  const fetch = vi.fn(() => Promise.resolve(new Response(body, { headers: { 'Content-Type': type } })));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

async function stepsOf(wish: Wish = { service: null, stored: false }): Promise<Step[]> {
  const steps: Step[] = [];
  for await (const step of askForComparison(wish, NEVER)) steps.push(step);
  return steps;
}

const STARTED = { comparisonId: 'c1', service: 'AWS Lambda', replayed: true, reason: 'budget' };
const HALFWAY = { landed: 1, of: 2 };
const A = { slot: 'A', saying: 'Lambda is a taxi.', error: null };
const B = { slot: 'B', saying: null, error: 'timeout' };
const DONE = { comparisonId: 'c1', votable: false };

afterEach(() => vi.unstubAllGlobals());

describe('a comparison', () => {
  it('comes in steps when the server streams', async () => {
    const text =
      event('comparison', STARTED) +
      event('progress', HALFWAY) +
      event('unknown', {}) +
      event('slots', { slots: [A, B] }) +
      event('done', DONE);
    serverAnswers(text, 'text/event-stream; charset=utf-8');

    expect(await stepsOf()).toEqual([
      { event: 'comparison', data: STARTED },
      { event: 'progress', data: HALFWAY },
      { event: 'slots', data: { slots: [A, B] } },
      { event: 'done', data: DONE },
    ]);
  });

  it('comes in the same steps from one JSON document', async () => {
    serverAnswers(JSON.stringify({ ...STARTED, votable: false, slots: [A, B] }), 'application/json');

    expect(await stepsOf()).toEqual([
      { event: 'comparison', data: STARTED },
      { event: 'slots', data: { slots: [A, B] } },
      { event: 'done', data: DONE },
    ]);
  });

  it.each([
    [{ service: null, stored: false }, '{}'],
    [{ service: 'AWS Lambda', stored: false }, '{"service":"AWS Lambda"}'],
    [{ service: 'AWS Lambda', stored: true }, '{"service":"AWS Lambda","from":"stored"}'],
  ])('is asked for as the visitor wishes: %j', async (wish, body) => {
    const fetch = serverAnswers(event('done', DONE), 'text/event-stream');

    await stepsOf(wish);

    expect(fetch).toHaveBeenCalledWith('/compare', expect.objectContaining({ method: 'POST', body }));
  });

  it('fails with an error that the server streams', async () => {
    const refusal = { error: { code: 'internal_error', message: 'Something went wrong.' }, requestId: 'abc' };
    serverAnswers(event('comparison', STARTED) + event('error', refusal), 'text/event-stream');

    await expect(stepsOf()).rejects.toMatchObject({ message: 'Something went wrong.', requestId: 'abc' });
  });

  it('fails when the stream breaks off', async () => {
    serverAnswers(event('comparison', STARTED), 'text/event-stream');

    await expect(stepsOf()).rejects.toThrow(Trouble);
  });
});
