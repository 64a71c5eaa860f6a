import { expect, it } from 'vitest';
import type { ModelsAnswer } from '../api/types';
import { changes, vendorsOfSimulated } from './models';

type Model = ModelsAnswer['models'][number];

const model = (vendor: string, simulated: boolean) => ({ vendor, simulated }) as Model;

it('names each vendor of simulated models once', () => {
  const models = [model('first', true), model('second', true), model('first', true), model('third', false)];

  expect(vendorsOfSimulated(models)).toEqual(['first', 'second']);
});

it('names no vendor when no model is simulated', () => {
  expect(vendorsOfSimulated([model('first', false)])).toEqual([]);
});

const NOON = Date.parse('2026-11-28T12:00:00Z');

/** One seat, held by a model that retires on that day. */
function seat(retires: string | null, next: string | null = 'new'): ModelsAnswer {
  const models = [{ model: 'old', name: 'Old 1', retires } as Model, { model: 'new', name: 'New 2' } as Model];
  return { seats: [{ seat: 'small', model: 'old', next }], models };
}

/** An empty seat, whose model is in that state. */
function emptySeat(state: Model['state']): ModelsAnswer {
  const models = [{ model: 'old', name: 'Old 1', seat: 'small', state } as Model];
  return { seats: [{ seat: 'small', model: null, next: null }], models };
}

it.each([
  [seat('2026-11-30'), ['Old 1 retires in 2 days, on 30 November 2026; New 2 takes its seat.']],
  [seat('2026-11-29', null), ['Old 1 retires in 1 day, on 29 November 2026.']],
  [seat('2026-12-29'), []],
  [seat(null), []],
  [seat('2026-11-01'), []],
  [emptySeat('gone'), ['A seat is empty: its vendor no longer has Old 1.']],
  [emptySeat('left out'), []],
])('says who leaves a seat soon and who follows (%#)', (answer, sentences) => {
  expect(changes(answer, NOON)).toEqual(sentences);
});
