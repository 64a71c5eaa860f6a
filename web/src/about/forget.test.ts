import { expect, it } from 'vitest';
import { Trouble } from '../api/client';
import type { ForgottenAnswer } from '../api/types';
import { forget, outcome } from './forget';

const DONE: ForgottenAnswer = { status: 'forgotten', forgottenBefore: '2026-11-29T10:00:00+00:00' };
const LATER: ForgottenAnswer = { status: 'accepted', forgottenBefore: '2026-12-02T10:00:00+00:00' };

/** What happens in which order while a visitor is forgotten. */
function memory(ask: () => Promise<ForgottenAnswer>) {
  const steps: string[] = [];
  const note = (step: string) => () => void steps.push(step);
  return {
    steps,
    outbox: { discard: async () => note('outbox')() },
    shown: [{ forget: note('votes') }, { forget: note('comparison') }],
    ask: () => {
      note('server')();
      return ask();
    },
  };
}

it('throws waiting votes away before the server is asked', async () => {
  const mine = memory(async () => DONE);

  expect(await forget(mine)).toBe(DONE);

  expect(mine.steps).toEqual(['outbox', 'server', 'votes', 'comparison']);
});

it('goes on showing the votes when the server could not do it', async () => {
  const trouble = new Trouble('refused', 'Not now.', { status: 503 });
  const mine = memory(async () => Promise.reject(trouble));

  await expect(forget(mine)).rejects.toBe(trouble);

  expect(mine.steps).toEqual(['outbox', 'server']);
});

it.each([
  [DONE, 'Done. Nothing of you is stored here any more.'],
  [LATER, 'Your request is stored, and your cookie is gone. Everything else will be gone by 2 December 2026.'],
])('says what the server has done: %j', (answer, words) => {
  expect(outcome(answer)).toBe(words);
});
