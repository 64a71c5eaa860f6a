import { expect, it } from 'vitest';
import { addressOf, VIEWS, viewOf } from './routes';

it.each([
  ['', 'sayings'],
  ['#/', 'sayings'],
  ['#/compare', 'compare'],
  ['#dashboard', 'dashboard'],
  ['#/about', 'about'],
  ['#/somewhere/else', 'sayings'],
  ['#/<script>', 'sayings'],
])('%j is the view %s', (hash, view) => {
  expect(viewOf(hash)).toBe(view);
});

it.each(VIEWS)('the address of %s leads to it', (view) => {
  expect(viewOf(addressOf(view))).toBe(view);
});
