import { expect, it } from 'vitest';
import { Trouble } from '../api/client';
import { REASONS, report } from './report';

const answer = (status: 'recorded' | 'unchanged') => ({ sayingId: '9f', status });

it.each([
  ['recorded', 'Thank you. Somebody will look at this saying.'],
  ['unchanged', 'This saying has been reported from here before. Once is enough.'],
] as const)('says what became of a report that is %s', async (status, words) => {
  expect(await report(async () => answer(status))).toBe(words);
});

it('says that the saying was taken down already', async () => {
  const gone = new Trouble('refused', 'It was taken down.', { status: 410, code: 'saying_withdrawn' });

  expect(await report(() => Promise.reject(gone))).toBe('It was taken down already. It will not be shown again.');
});

it('passes on any other trouble', async () => {
  const trouble = new Trouble('refused', 'The store is full.', { status: 503, code: 'storage_full' });

  await expect(report(() => Promise.reject(trouble))).rejects.toBe(trouble);
});

it('has a reason for whatever is not in the list', () => {
  expect(REASONS.at(-1)?.reason).toBe('other');
});
