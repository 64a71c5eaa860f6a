import { expect, it } from 'vitest';
import { absence, titleOf } from './words';

it.each([
  ['Amazon S3 is an attic.', 'Amazon S3 is an attic. · Cloud Sayings'],
  [
    'AWS Lambda is a taxi that charges by the second and forgets you at the kerb.',
    'AWS Lambda is a taxi that charges by the second and forgets… · Cloud Sayings',
  ],
  ['x'.repeat(100), `${'x'.repeat(60)}… · Cloud Sayings`],
])('the title is the beginning of %s', (saying, title) => {
  expect(titleOf(saying)).toBe(title);
});

it.each([
  [{ status: 404, code: 'saying_not_found' }, 'There is no such saying here'],
  [{ status: 400, code: 'invalid_request' }, 'There is no such saying here'],
  [{ status: 410, code: 'saying_withdrawn' }, 'This saying was taken down'],
  [{ status: 503, code: 'store_unavailable' }, undefined],
])('says why a saying is not there (%#)', (trouble, heading) => {
  expect(absence(trouble)?.heading).toBe(heading);
});
