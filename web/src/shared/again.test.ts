import { expect, it } from 'vitest';
import { Trouble } from '../api/client';
import { nextTry } from './again';

const BUSY = new Trouble('refused', '', { status: 503 });

it.each([
  [BUSY, 0, 5_000],
  [BUSY, 2, 20_000],
  [BUSY, 9, 60_000],
  [new Trouble('refused', '', { status: 429, retryAt: 100_000 }), 0, 100_000],
  [new Trouble('unreachable', ''), 0, 5_000],
  [new Trouble('offline', ''), 0, null],
  [new Trouble('refused', '', { status: 404 }), 0, null],
])('asks again when that may help (%#)', (trouble, failures, at) => {
  expect(nextTry(trouble, failures, 0)).toBe(at);
});
