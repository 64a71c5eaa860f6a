import { expect, it } from 'vitest';
import type { ModelsAnswer } from '../api/types';
import { vendorsOfSimulated } from './simulated';

const model = (vendor: string, simulated: boolean) => ({ vendor, simulated }) as ModelsAnswer['models'][number];

it('names each vendor of simulated models once', () => {
  const models = [model('first', true), model('second', true), model('first', true), model('third', false)];

  expect(vendorsOfSimulated(models)).toEqual(['first', 'second']);
});

it('names no vendor when no model is simulated', () => {
  expect(vendorsOfSimulated([model('first', false)])).toEqual([]);
});
