import { describe, expect } from 'vitest';
import { BLIND, LISTED, SOME, VOTED } from './answers';
import { SETTINGS, test, type Visit } from './visit';

const thumb = (visit: Visit, side: 'up' | 'down') => visit.page.getByRole('button', { name: `Thumbs ${side}` });
const saying = (visit: Visit) => visit.page.locator('figure .saying', { hasText: /\w{3}/ });

// Of a saying that does not exist.
const ADDRESS = `s/${LISTED.sayingId}`;
const API = `/sayings/${LISTED.sayingId}`;

/** Has the server tell of one of its sayings what is told here, and returns its id. */
async function known(visitor: Visit): Promise<string> {
  const response = await fetch(`${visitor.url}/sayings`);
  const { sayingId } = (await response.json()) as { sayingId: string };
  await visitor.serverAnswers(`/sayings/${sayingId}`, 200, { ...LISTED, sayingId });
  return sayingId;
}

const refusal = (code: string, message = '') => ({ error: { code, message, details: [] }, requestId: 'ab12' });

describe.each(SETTINGS)('one saying on a $name', (setting) => {
  test('is shown with its author and votes, and moves nothing', async ({ visit }) => {
    const visitor = await visit(setting);
    const sayingId = await known(visitor);

    await visitor.open(`s/${sayingId}`);
    await saying(visitor).waitFor();

    await visitor.reads('Claude Haiku 4.5 (simulated) · written in 1.2\u00a0s');
    await visitor.reads('A vote here counts for this saying, but not in the comparison of the models.');
    expect([await thumb(visitor, 'up').textContent(), await thumb(visitor, 'down').textContent()]).toEqual(['12', '3']);
    expect(await visitor.page.title()).toBe(
      'Amazon S3 is an attic that sends you the bill for its own… · Cloud Sayings',
    );
    expect(await visitor.barriers()).toEqual([]);
    expect(await visitor.layoutShifts()).toEqual([]);
  });
});

test('a vote on it is sent with the author and without a token', async ({ visit }) => {
  const visitor = await visit();
  const sayingId = await known(visitor);
  await visitor.serverAnswers('/feedback', 200, { ...VOTED, upvotes: 13, downvotes: 3, standing: 'unverified' });
  await visitor.open(`s/${sayingId}`);
  const sent = visitor.page.waitForRequest(`${visitor.url}/feedback`);

  await thumb(visitor, 'up').click();
  await visitor.reads('80\u00a0% of 15 others agree with you.');

  expect((await sent).postDataJSON()).toMatchObject({ source: LISTED.source, voteToken: null });
  expect(await visitor.page.getByText('A vote here counts').count()).toBe(0);
});

test('a saying of the real server has the address that Copy gives', async ({ visit }) => {
  const visitor = await visit();
  await visitor.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await visitor.open();
  await saying(visitor).waitFor();
  const text = await saying(visitor).textContent();
  const copied = visitor.page.getByRole('button', { name: 'Copied' }).waitFor();
  await visitor.page.getByRole('button', { name: 'Copy' }).click();
  await copied;
  const link = (await visitor.page.evaluate(() => navigator.clipboard.readText())).split('\n').at(-1) ?? '';

  await visitor.page.goto(link);
  await saying(visitor).waitFor();

  expect(await saying(visitor).textContent()).toBe(text);
  expect(await visitor.page.locator('.source').textContent()).toMatch(/\(simulated\)|Written by hand/);
});

test.for([
  [404, 'saying_not_found', 'There is no such saying here'],
  [410, 'saying_withdrawn', 'This saying was taken down'],
] as const)('an answer of %d is friendly and leads on', async ([status, code, heading], { visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers(API, status, refusal(code));

  await visitor.open(ADDRESS);
  await visitor.page.getByRole('heading', { name: heading }).waitFor();
  const barriers = await visitor.barriers();
  await visitor.page.getByRole('link', { name: 'Read another' }).click();
  await saying(visitor).waitFor();

  expect(barriers).toEqual([]);
  expect(new URL(visitor.page.url()).pathname).toBe('/');
});

test('a trouble that passes is tried again by itself', async ({ visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers(API, 503, refusal('store_unavailable', 'Not now.'), { 'Retry-After': '1' });
  await visitor.open(ADDRESS);
  await visitor.reads('Not now.');

  await visitor.serverRecovers();
  await visitor.serverAnswers(API, 200, LISTED);

  await saying(visitor).waitFor();
});

test('a saying that was read blindly is blind no more once its author was seen here', async ({ visit }) => {
  const visitor = await visit();
  const sayingId = await known(visitor);
  await visitor.serverAnswers('/sayings', 200, { ...BLIND, sayingId });
  await visitor.serverAnswers('/feedback', 200, { ...VOTED, standing: 'unverified' });
  await visitor.open();
  await visitor.reads('Who wrote it? Vote to see.');
  await visitor.open(`s/${sayingId}`);
  await saying(visitor).waitFor();

  await visitor.page.getByRole('link', { name: 'Read another' }).click();
  await visitor.reads('Claude Haiku 4.5 (simulated) · written in 1.2\u00a0s');
  const sent = visitor.page.waitForRequest(`${visitor.url}/feedback`);
  await thumb(visitor, 'up').click();

  expect((await sent).postDataJSON()).toMatchObject({ source: SOME.source, voteToken: null });
});
