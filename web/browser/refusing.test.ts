/** Browsers that keep no data of sites, or lack what is newer than the oldest ones that we support. */

import { describe, expect } from 'vitest';
import { DESKTOP, isAt, PHONE, test, type Visit } from './visit';

const saying = (visit: Visit) => visit.page.locator('figure .saying', { hasText: /\w{3}/ });
const thumb = (visit: Visit, side: 'up' | 'down') => visit.page.getByRole('button', { name: `Thumbs ${side}` });

/** In the page: cookies, storage and locks fail, as they do in a browser that blocks the data of sites. */
function blockSiteData() {
  const refuse = () => {
    throw new DOMException('Access is denied for this document.', 'SecurityError');
  };
  Object.defineProperty(Document.prototype, 'cookie', { get: refuse, set: refuse });
  for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get: refuse });
  Object.defineProperty(Navigator.prototype, 'locks', { value: { request: async () => refuse() } });
}

/** A visitor whose browser also keeps no cookie that the server sets. */
async function blocked(visitor: Visit): Promise<void> {
  await visitor.page.addInitScript(blockSiteData);
  await visitor.page.route(/\/(sayings|feedback)(\?|$)/, async (route) => {
    const { cookie: _, ...headers } = await route.request().allHeaders();
    const response = await route.fetch({ headers });
    const kept = Object.entries(response.headers()).filter(([name]) => name !== 'set-cookie');
    await route.fulfill({ response, headers: Object.fromEntries(kept) });
  });
}

describe('where site data is blocked', () => {
  test.for([PHONE, DESKTOP])('a vote arrives and says what it counts for, on a $name', async (setting, { visit }) => {
    const visitor = await visit(setting);
    await blocked(visitor);
    const asked = visitor.page.waitForRequest((request) => isAt('/sayings')(new URL(request.url())));
    await visitor.open();
    await saying(visitor).waitFor();
    await visitor.reads(/^Your browser keeps no cookie for this page, so a vote counts for the saying only/);
    const author = await visitor.page.locator('.source').textContent();
    const barriers = await visitor.barriers();

    const answer = visitor.page.waitForResponse(`${visitor.url}/feedback`);
    await thumb(visitor, 'up').click();
    await visitor.reads(
      'Your thumbs up counts for this saying only, because your browser keeps no cookie for this page.',
    );

    expect(new URL((await asked).url()).search).toBe('');
    expect(author).toMatch(/\(simulated\)|Written by hand/);
    expect(await (await answer).json()).toMatchObject({ status: 'recorded', standing: 'unverified' });
    expect(barriers).toEqual([]);
  });

  test('a vote is sent once, because it could not be taken back', async ({ visit }) => {
    const visitor = await visit();
    await blocked(visitor);
    const sent: string[] = [];
    visitor.page.on('request', (request) => {
      if (request.url().includes('/feedback')) sent.push(request.method());
    });
    await visitor.open();
    await saying(visitor).waitFor();
    await thumb(visitor, 'up').click();
    await visitor.reads(/^Your thumbs up counts/);

    await thumb(visitor, 'down').click({ force: true });
    await visitor.page.keyboard.press('Space');

    expect(await thumb(visitor, 'up').getAttribute('aria-pressed')).toBe('true');
    expect(await thumb(visitor, 'down').getAttribute('aria-disabled')).toBe('true');
    expect(sent).toEqual(['POST']);
  });
});

test('without locks and without signals that are newer, a vote arrives', async ({ visit }) => {
  const visitor = await visit();
  await visitor.page.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, 'locks');
    Reflect.deleteProperty(AbortSignal, 'any');
    Reflect.deleteProperty(window, 'requestIdleCallback');
  });
  await visitor.open();
  await saying(visitor).waitFor();
  const stats = visitor.page.waitForResponse(`${visitor.url}/stats`);

  await thumb(visitor, 'up').click();
  await visitor.reads('Your thumbs up is counted.');

  expect((await stats).status()).toBe(200);
});
