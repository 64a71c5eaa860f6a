import { expect, it } from 'vitest';
import { addressOfWish, requestOf, wishOf } from './wish';

const ALL = { order: 'top', service: '', model: '' } as const;

it.each([
  ['', ALL],
  ['?order=new', { ...ALL, order: 'new' }],
  ['?order=sideways', ALL],
  ['?service=Amazon%20S3&model=gpt-4.1', { ...ALL, service: 'Amazon S3', model: 'gpt-4.1' }],
])('reads %s', (query, wish) => {
  expect(wishOf(query)).toEqual(wish);
});

it.each([
  [ALL, '/best'],
  [{ ...ALL, order: 'new', service: 'Amazon S3' } as const, '/best?order=new&service=Amazon+S3'],
  [{ ...ALL, model: 'a&b=c' }, '/best?model=a%26b%3Dc'],
])('has an address that leads back (%#)', (wish, address) => {
  expect(addressOfWish(wish)).toBe(address);
  expect(wishOf(address.slice('/best'.length))).toEqual(wish);
});

it('asks for a page after another', () => {
  expect(requestOf({ ...ALL, service: 'Amazon S3' }, 'c1')).toBe('/sayings/best?order=top&service=Amazon+S3&after=c1');
});
