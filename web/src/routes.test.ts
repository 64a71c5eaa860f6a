import { expect, it } from 'vitest';
import { addressOf, addressOfSaying, placeOf, VIEWS } from './routes';

const ID = 'a'.repeat(32);
const at = (address: string) => placeOf(new URL(address, 'https://sayings.example') as unknown as Location);

it.each(VIEWS)('the address of %s leads to it', (view) => {
  expect(at(addressOf(view))).toEqual({ view, query: '' });
});

it('the address of a saying leads to it', () => {
  expect(at(addressOfSaying(ID))).toEqual({ view: 'saying', id: ID });
});

it.each([
  ['/best/', { view: 'best', query: '' }],
  ['/best?order=new&service=Amazon%20S3', { view: 'best', query: '?order=new&service=Amazon%20S3' }],
  ['/?ref=mail', { view: 'sayings', query: '?ref=mail' }],
  ['/dashboard#cost', { view: 'dashboard', query: '' }],
  [`/s/${ID}/`, { view: 'saying', id: ID }],
])('%s is a place of the page', (address, place) => {
  expect(at(address)).toEqual(place);
});

it.each([
  ['/#/compare', 'arena'],
  ['/#dashboard', 'dashboard'],
  ['/#/about', 'about'],
])('%s, as it was, is still the view %s', (address, view) => {
  expect(at(address)).toEqual({ view, query: '' });
});

it.each(['/somewhere/else', '/s/short', '/Best', '/<script>', '/compare'])('%s leads nowhere', (address) => {
  expect(at(address)).toEqual({ view: 'nowhere' });
});
