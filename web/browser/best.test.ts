import { describe, expect } from 'vitest';
import { LISTED, numbered, PAGE } from './answers';
import { isAt, SETTINGS, test, type Visit } from './visit';

const cards = (visit: Visit) => visit.page.locator('.listed');
const more = (visit: Visit) => visit.page.getByRole('button', { name: 'More' });
const filter = (visit: Visit, label: string) => visit.page.getByRole('combobox', { name: label });

const FIRST = { ...PAGE, sayings: Array.from({ length: 24 }, (_, n) => numbered(LISTED, n)), next: 'aaaaaaaa' };
const LAST = { ...PAGE, sayings: Array.from({ length: 6 }, (_, n) => numbered(LISTED, 24 + n)) };

/** The server answers with a first page of 24 sayings and a last one of 6. */
async function twoPages(visitor: Visit): Promise<void> {
  await visitor.page.route(isAt('/sayings/best'), (route) =>
    route.fulfill({ json: new URL(route.request().url()).searchParams.has('after') ? LAST : FIRST }),
  );
}

describe.each(SETTINGS)('the best on a $name', (setting) => {
  test('are accessible, can be voted on, and move nothing', async ({ visit }) => {
    const visitor = await visit(setting);
    await twoPages(visitor);
    await visitor.serverAnswers('/feedback', 200, {
      feedbackId: 'f'.repeat(32),
      sayingId: FIRST.sayings[0]?.sayingId,
      feedbackType: 'POSITIVE',
      upvotes: 13,
      downvotes: 3,
      status: 'recorded',
      standing: 'unverified',
      source: LISTED.source,
      model: LISTED.model,
      vendor: LISTED.vendor,
      originalLlmTime: LISTED.originalLlmTime,
    });
    await visitor.open('best');
    await cards(visitor).first().waitFor();
    const sent = visitor.page.waitForRequest(`${visitor.url}/feedback`);

    await cards(visitor).first().getByRole('button', { name: 'Thumbs up' }).click();
    await visitor.reads(/^Your thumbs up counts for this saying, but not in the comparison of the models/);

    expect((await sent).postDataJSON()).toMatchObject({ source: LISTED.source, voteToken: null });
    expect(await cards(visitor).first().getByRole('button', { name: 'Thumbs up' }).textContent()).toBe('13');
    expect(await visitor.barriers()).toEqual([]);
  });
});

test('more sayings come at the end, and the focus is never lost', async ({ visit }) => {
  const visitor = await visit();
  await twoPages(visitor);
  await visitor.open('best');
  await more(visitor).focus();

  await visitor.page.keyboard.press('Enter');
  await expect.poll(() => cards(visitor).count()).toBe(30);

  const focused = () => visitor.page.evaluate(() => document.activeElement?.textContent);
  await expect.poll(focused).toBe(LAST.sayings[0]?.saying);
  expect(await more(visitor).count()).toBe(0);
});

test('the filters and the order are in the address, and Back undoes them', async ({ visit }) => {
  const visitor = await visit();
  const asked: string[] = [];
  visitor.page.on('request', (request) => {
    if (isAt('/sayings/best')(new URL(request.url()))) asked.push(new URL(request.url()).search);
  });
  await twoPages(visitor);
  await visitor.open('best');
  await cards(visitor).first().waitFor();

  await filter(visitor, 'Service').selectOption('Amazon S3');
  await expect.poll(() => visitor.page.url()).toBe(`${visitor.url}/best?service=Amazon+S3`);
  await visitor.page.getByRole('link', { name: 'New' }).click();
  await visitor.reads('The newest sayings');
  const address = visitor.page.url();
  await visitor.page.reload();
  await cards(visitor).first().waitFor();
  const chosen = await filter(visitor, 'Service').inputValue();
  await visitor.page.goBack();
  await visitor.reads('The best sayings');

  expect(address).toBe(`${visitor.url}/best?order=new&service=Amazon+S3`);
  expect(chosen).toBe('Amazon S3');
  await expect
    .poll(() => asked)
    .toEqual([
      '?order=top',
      '?order=top&service=Amazon+S3',
      '?order=new&service=Amazon+S3',
      '?order=new&service=Amazon+S3',
      '?order=top&service=Amazon+S3',
    ]);
});

test('an empty list is friendly and leads on', async ({ visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers('/sayings/best', 200, { ...PAGE, sayings: [] });

  await visitor.open('best?service=Amazon%20Braket');
  await visitor.reads('Nobody has voted on any of these yet. Fame is still to be had.');

  expect(await visitor.barriers()).toEqual([]);
  expect(await visitor.page.getByRole('link', { name: 'Look at all services and models' }).getAttribute('href')).toBe(
    '/best',
  );
});

test('a list that cannot be had is asked for again', async ({ visit }) => {
  const visitor = await visit();
  const error = { code: 'store_unavailable', message: 'The list cannot be read now.', details: [] };
  await visitor.serverAnswers('/sayings/best', 503, { error, requestId: 'ab' }, { 'Retry-After': '1' });
  await visitor.open('best');
  await visitor.reads('The list cannot be read now.');

  await visitor.serverRecovers();
  await twoPages(visitor);

  await cards(visitor).first().waitFor();
});

test('the newest of the real server lead to their own addresses', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open('best?order=new');
  await cards(visitor).first().waitFor();
  const link = cards(visitor).first().locator('blockquote a');
  const text = await link.textContent();

  await link.click();

  await visitor.page.locator('figure .saying', { hasText: text ?? '' }).waitFor();
  expect(new URL(visitor.page.url()).pathname).toMatch(/^\/s\/[0-9a-f]{32}$/);
});
