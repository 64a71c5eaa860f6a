import { expect, it } from 'vitest';
import type { SayingAnswer } from '../api/types';
import { Shown } from './shown';

function tab(held = new Map<string, string>()) {
  const shown = new Shown({
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => void held.set(key, value),
    removeItem: (key) => void held.delete(key),
  });
  return { held, shown };
}

const saying = (digits: string) => ({ sayingId: digits.padEnd(32, '0') }) as SayingAnswer;

it('asks for any saying first, the author by lot', () => {
  expect(tab().shown.request).toBe('/sayings?attribution=random');
});

it('asks for sayings that were not shown, each named once', () => {
  const { shown } = tab();

  for (const digits of ['aaaaaaaa', 'bbbbbbbb', 'aaaaaaaa']) shown.add(saying(digits));

  expect(shown.request).toBe('/sayings?attribution=random&after=bbbbbbbb,aaaaaaaa');
  expect(shown.last?.sayingId).toMatch(/^aaaaaaaa/);
});

it('names the last hundred', () => {
  const { shown } = tab();

  for (let n = 0; n < 120; n++) shown.add(saying(String(n).padStart(8, '0')));

  const after = shown.request.split('after=')[1]?.split(',');
  expect([after?.length, after?.at(0), after?.at(-1)]).toEqual([100, '00000020', '00000119']);
});

it('remembers them when the page is loaded again', () => {
  const { held, shown } = tab();
  shown.add(saying('aaaaaaaa'));

  const again = tab(held).shown;

  expect(again.request).toMatch(/after=aaaaaaaa$/);
});

it('keeps nothing of a visitor who is forgotten', () => {
  const { held, shown } = tab();
  shown.add(saying('aaaaaaaa'));

  shown.forget();

  expect([shown.last, [...held]]).toEqual([null, []]);
});
