import { expect, it } from 'vitest';
import type { SayingAnswer } from '../api/types';
import type { Keep } from '../shared/storage';
import { NOTHING_KNOWN } from '../votes/sayingVotes';
import { Shown } from './shown';

function memory(held = new Map<string, string>()): Keep & { held: Map<string, string> } {
  return {
    held,
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => void held.set(key, value),
    removeItem: (key) => void held.delete(key),
  };
}

function tab(shared = memory(), own = memory()) {
  return { shared, own, shown: new Shown(shared, own) };
}

const idOf = (digits: string) => digits.padEnd(32, '0');
const saying = (digits: string) =>
  ({ sayingId: idOf(digits), saying: `Saying ${digits}`, services: [], vote: null }) as unknown as SayingAnswer;
const current = ({ place }: Shown) => place.value.current?.answer.saying;
const listed = ({ place }: Shown) => place.value.list.map(({ answer }) => answer.saying);

it('asks for any saying first, the author by lot if there can be one', () => {
  const { shown } = tab();

  expect([shown.request(true), shown.request(false)]).toEqual(['/sayings?attribution=random', '/sayings']);
});

it('asks for sayings that were not shown, each named once', () => {
  const { shown } = tab();

  for (const digits of ['aaaaaaaa', 'bbbbbbbb', 'aaaaaaaa']) shown.add(saying(digits));

  expect(shown.request(true)).toBe('/sayings?attribution=random&after=bbbbbbbb,aaaaaaaa');
  expect([current(shown), listed(shown)]).toEqual(['Saying aaaaaaaa', ['Saying bbbbbbbb', 'Saying aaaaaaaa']]);
});

it('names the last hundred, and lists the last fifty', () => {
  const { shown } = tab();

  for (let n = 0; n < 120; n++) shown.add(saying(String(n).padStart(8, '0')));

  const after = shown.request(false).split('after=')[1]?.split(',');
  expect([after?.length, after?.at(0), after?.at(-1)]).toEqual([100, '00000020', '00000119']);
  expect([listed(shown).length, listed(shown)[0]]).toEqual([50, 'Saying 00000070']);
});

it('is at the same saying when the page is loaded again', () => {
  const { shared, own, shown } = tab();
  for (const digits of ['aaaaaaaa', 'bbbbbbbb']) shown.add(saying(digits));
  shown.go(-1);
  shown.note(idOf('aaaaaaaa'), { known: { ...NOTHING_KNOWN, stored: 'POSITIVE' } });

  const again = tab(shared, own).shown;

  expect(current(again)).toBe('Saying aaaaaaaa');
  expect(again.place.value.current?.known.stored).toBe('POSITIVE');
});

it('goes back and forth, and no further than the ends', () => {
  const { shown } = tab();
  for (const digits of ['a', 'b', 'c']) shown.add(saying(digits));

  const way = [-1, -1, -1, 1, 1, 1].map((steps) => {
    shown.go(steps);
    return current(shown)?.at(-1);
  });

  expect(way).toEqual(['b', 'a', 'a', 'b', 'c', 'c']);
});

it('keeps what was known of a saying that is shown again', () => {
  const { shown } = tab();
  shown.add(saying('a'));
  shown.note(idOf('a'), { guess: { who: 'gpt-4.1', outcome: null, streak: 0 } });

  shown.add(saying('a'));

  expect(shown.place.value.current?.guess?.who).toBe('gpt-4.1');
});

it('another tab has its own place in the same list', () => {
  const { shared, shown } = tab();
  shown.add(saying('a'));
  const other = tab(shared).shown;
  const before = current(other);

  other.add(saying('b'));
  shown.refresh();

  expect(before).toBeUndefined();
  expect([current(shown), listed(shown)]).toEqual(['Saying a', ['Saying a', 'Saying b']]);
});

it.each(['nonsense', '{}', '[null, 1, {"answer": {}}]'])('does without a list that it cannot read: %s', (stored) => {
  const { shown } = tab(memory(new Map([['sayings.read', stored]])));

  expect(shown.place.value).toEqual({ list: [], current: null });
});

it('keeps nothing of a visitor who is forgotten', () => {
  const { shared, own, shown } = tab();
  shown.add(saying('aaaaaaaa'));

  shown.forget();

  expect(shown.place.value).toEqual({ list: [], current: null });
  expect([...shared.held, ...own.held]).toEqual([]);
});
