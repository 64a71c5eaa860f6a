import type { Locator } from 'playwright-core';
import { describe, expect } from 'vitest';
import { SOME } from './answers';
import { DESKTOP, isAt, PHONE, SETTINGS, type Setting, test, type Visit } from './visit';

const saying = (visit: Visit) =>
  visit.page.locator('figure .saying').filter({ hasText: /\w{3}/, hasNotText: 'No saying yet.' });
const another = (visit: Visit) => visit.page.getByRole('button', { name: 'Another saying' });
const up = (visit: Visit) => visit.page.getByRole('button', { name: 'Thumbs up' });

const connectionLine = (visit: Visit) => visit.page.locator('.connection p');

const UNAVAILABLE = {
  error: { code: 'no_saying_available', message: 'No saying is available right now; please try again.' },
  requestId: '6b010c4fac368f9b',
};
const LIMITED = { error: { code: 'rate_limited', message: 'That was too much at once.' }, requestId: '7c' };

describe.each(SETTINGS)('on a $name', (setting) => {
  test('a failure shows its request id, and the page tries again', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.serverAnswers('/sayings', 503, UNAVAILABLE, { 'Retry-After': '1' });
    await visitor.open();
    await visitor.reads('No saying yet.');
    await visitor.reads('Request 6b010c4fac368f9b');
    await visitor.reads(/^Next try in \d seconds?\.$/);
    const barriers = await visitor.barriers();

    await visitor.serverRecovers();
    await saying(visitor).waitFor(); // the page has tried again by itself

    expect(barriers).toEqual([]);
    expect(await visitor.page.getByText('Request 6b').count()).toBe(0);
    expect(await visitor.layoutShifts()).toEqual([]);
  });

  test('a vote made offline is kept and sent once when back', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.open();
    await saying(visitor).waitFor();
    await visitor.goOffline();
    await visitor.reads('Offline. Votes are kept and sent later.');
    await up(visitor).click();
    await visitor.reads('Your thumbs up is kept here and sent when you are online again.');
    await visitor.reads('Offline. 1 vote is kept and sent later.');
    const barriers = await visitor.barriers();

    const votes: string[] = [];
    visitor.page.on('response', (response) => {
      if (isAt('/feedback')(new URL(response.url()))) votes.push(`${response.request().method()} ${response.status()}`);
    });
    const news = visitor.reads('Back online. 1 kept vote sent.'); // for a few seconds only
    await visitor.goOffline(false);
    await news;
    await visitor.reads('Your thumbs up is counted.');
    const offline = await visitor.page.getByText(/offline/i).count();

    expect(offline).toBe(0);
    expect(await up(visitor).textContent()).toMatch(/^[1-9]/);
    expect(await visitor.layoutShifts()).toEqual([]);
    expect(votes).toEqual(['POST 200']);
    expect(barriers).toEqual([]);
  });
});

test('a rate limit counts down and keeps the saying', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await saying(visitor).waitFor();
  const before = await saying(visitor).textContent();

  await visitor.serverAnswers('/sayings', 429, LIMITED, { 'Retry-After': '100' });
  await another(visitor).click();
  await visitor.reads(/Next try in \d+ seconds\./);
  const left = await secondsLeft(visitor);
  await expect.poll(() => secondsLeft(visitor)).toBeLessThan(left);

  expect(left).toBeLessThanOrEqual(100);
  expect(await saying(visitor).textContent()).toBe(before);
  expect(await visitor.layoutShifts()).toEqual([]);
});

async function secondsLeft(visitor: Visit): Promise<number> {
  const words = await visitor.page.locator('.retry [aria-hidden=true]').textContent();
  return Number(words?.match(/\d+/)?.[0]);
}

const SMALL_PHONE: Setting = { ...PHONE, name: 'small phone', viewport: { width: 320, height: 568 } };

test.for([SMALL_PHONE, DESKTOP])(
  'the line about the connection moves nothing on a $name',
  async (setting, { visit }) => {
    const visitor = await visit(setting);
    await visitor.open();
    await saying(visitor).waitFor();
    const button = await placeInPage(another(visitor));
    await visitor.goOffline();
    await visitor.reads('Offline. Votes are kept and sent later.');
    const line = await placeInPage(connectionLine(visitor));

    await up(visitor).click();
    await visitor.reads('Offline. 1 vote is kept and sent later.');

    // The browser reports shifts from 3 pixels on, and how far a text moves depends on the machine's fonts.
    expect((await placeInPage(connectionLine(visitor))).x).toBe(line.x);
    expect(await placeInPage(another(visitor))).toEqual(button);
  },
);

function placeInPage(locator: Locator): Promise<{ x: number; y: number }> {
  return locator.evaluate((element) => {
    const { x, y } = element.getBoundingClientRect();
    return { x: x + scrollX, y: y + scrollY };
  });
}

test('a vote that was not sent survives the page', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await saying(visitor).waitFor();
  await visitor.serverAnswers('/feedback', 503, { ...UNAVAILABLE, error: { code: 'x', message: 'Not now.' } });
  await up(visitor).click();
  await visitor.reads(/^Your thumbs up is kept here until it is stored\./);

  await visitor.page.goto('about:blank');
  await visitor.serverRecovers();
  const sent = visitor.page.waitForResponse(`${visitor.url}/feedback`);
  await visitor.open();

  expect((await (await sent).json()).status).toBe('recorded');
  await expect.poll(() => visitor.page.evaluate(() => localStorage.getItem('sayings.outbox'))).toBeNull();
});

test('a vote that only waited for the server is not said to have been offline', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await saying(visitor).waitFor();
  await visitor.serverAnswers('/feedback', 503, UNAVAILABLE);
  await up(visitor).click();
  await visitor.reads(/^Your thumbs up is kept here until it is stored\./);

  await visitor.page.goto('about:blank');
  await visitor.serverRecovers();
  await visitor.open();

  await expect.poll(() => connectionLine(visitor).textContent()).toBe('1 kept vote sent.');
});

test('a kept vote that comes too late says so', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await saying(visitor).waitFor();
  await visitor.serverAnswers('/feedback', 503, UNAVAILABLE);
  await up(visitor).click();
  await visitor.reads(/^Your thumbs up is kept here until it is stored\./);

  await visitor.page.goto('about:blank');
  await visitor.serverAnswers('/feedback', 400, { error: { code: 'invalid_request', message: '' }, requestId: 'a' });
  await visitor.open();

  await visitor.reads('1 kept vote came too late to be stored.');
});

test('a refused vote goes back to what it was', async ({ visit }) => {
  const visitor = await visit();
  const mismatch = { code: 'source_mismatch', message: 'The source given is not the one that wrote this saying.' };
  await visitor.open();
  await saying(visitor).waitFor();

  await visitor.serverAnswers('/feedback', 409, { error: mismatch, requestId: 'ab12' });
  await up(visitor).click();

  await visitor.reads(/^Your vote was not stored\. The source given is not/);
  await visitor.reads('Request ab12');
  expect(await up(visitor).getAttribute('aria-pressed')).toBe('false');
});

test('a slow answer is announced, and can be overtaken', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await saying(visitor).waitFor();
  await visitor.serverHangs('/sayings');

  await another(visitor).click();
  await visitor.reads('Still waiting: the network is slow, or a model is writing just now.');
  const busy = await visitor.page.locator('.stage').getAttribute('aria-busy');
  await visitor.serverRecovers();
  await another(visitor).click();
  await visitor.page.locator('.stage[aria-busy=false]').waitFor();

  expect(busy).toBe('true');
  expect(await visitor.page.getByText('Still waiting').count()).toBe(0);
});

test('a saying from another place than usual says so', async ({ visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers('/sayings', 200, DEGRADED);

  await visitor.open();
  await saying(visitor).waitFor();
  await visitor.page.getByText('Details', { exact: true }).click();

  await visitor.reads('The model took too long.');
  await visitor.reads('the copy in memory');
});

test('an unreachable server differs from being offline', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await saying(visitor).waitFor();

  await visitor.goOffline();
  await another(visitor).click();
  await visitor.reads('You are offline.');
  await visitor.page.route(isAt('/sayings'), (route) => route.abort());
  await visitor.goOffline(false); // the page tries again by itself

  await visitor.reads('The server could not be reached.');
  expect(await visitor.page.getByText('You are offline.').count()).toBe(0);
});

const DEGRADED = { ...SOME, source: 'From the collection', model: null, origin: 'builtin', degraded: 'live_timeout' };
