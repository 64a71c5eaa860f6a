import { describe, expect } from 'vitest';
import { BLIND, numbered, PAGE, SOME, VOTED } from './answers';
import { DESKTOP, isAt, PHONE, SETTINGS, test, type Visit } from './visit';

const saying = (visit: Visit) => visit.page.locator('figure .saying');
const firstSaying = (visit: Visit) => saying(visit).filter({ hasText: /\w{3}/ }).waitFor();
const another = (visit: Visit) => visit.page.getByRole('button', { name: 'Another saying' });
const thumb = (visit: Visit, side: 'up' | 'down') => visit.page.getByRole('button', { name: `Thumbs ${side}` });

/** How many votes the buttons show. Other visitors of this run may have voted on the same saying before. */
async function counts(visit: Visit): Promise<{ up: number; down: number }> {
  const shown = async (side: 'up' | 'down') => Number((await thumb(visit, side).textContent())?.match(/\d+/)?.[0]);
  return { up: await shown('up'), down: await shown('down') };
}

/** The text of the next saying, once it is shown; it may be the same as before. */
async function nextSaying(visit: Visit, ask: () => Promise<void>): Promise<string> {
  const [response] = await Promise.all([
    visit.page.waitForResponse((response) => isAt('/sayings')(new URL(response.url()))),
    ask(),
  ]);
  const text: string = (await response.json()).saying;
  await expect.poll(() => saying(visit).textContent()).toBe(text);
  return text;
}

describe.each(SETTINGS)('sayings on a $name', (setting) => {
  test('come one after the other, and nothing moves', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.open();
    await firstSaying(visitor);

    for (let round = 0; round < 6; round++) {
      expect(await nextSaying(visitor, () => another(visitor).click())).not.toBe('');
    }

    await visitor.reads(/^(.+ \(simulated\) · written in .+|Written by hand|Who wrote it\? Vote to see\.)$/);
    expect(await visitor.layoutShifts()).toEqual([]);
  });

  test('can be voted on, the vote changed and taken back', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.open();

    await thumb(visitor, 'up').click();
    await visitor.reads('Your thumbs up is counted.');
    const voted = await counts(visitor);
    await thumb(visitor, 'down').click();
    await visitor.reads(/^Your vote is now a thumbs down\./);
    const changed = await counts(visitor);
    const pressed = await thumb(visitor, 'down').getAttribute('aria-pressed');
    await thumb(visitor, 'down').click();
    await visitor.reads(/^Your vote is taken back\./);

    expect(voted.up).toBeGreaterThan(0);
    expect(changed).toEqual({ up: voted.up - 1, down: voted.down + 1 });
    expect(await counts(visitor)).toEqual({ up: voted.up - 1, down: voted.down });
    expect([pressed, await thumb(visitor, 'down').getAttribute('aria-pressed')]).toEqual(['true', 'false']);
    expect(await visitor.layoutShifts()).toEqual([]);
  });
});

describe('by keyboard', () => {
  test('the space bar brings another saying and does not scroll', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);

    await nextSaying(visitor, () => visitor.page.keyboard.press('Space'));

    expect(await visitor.page.evaluate(() => scrollY)).toBe(0);
  });

  test('on a button it presses the button, once', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);
    const asked: string[] = [];
    visitor.page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));

    await another(visitor).focus();
    await nextSaying(visitor, () => visitor.page.keyboard.press('Space'));
    await thumb(visitor, 'up').focus();
    await visitor.page.keyboard.press('Space');
    await visitor.reads(/^Your thumbs up/);

    expect(asked.filter((request) => request !== 'GET /stats')).toEqual(['GET /sayings', 'POST /feedback']);
  });

  test('the focus is always visible', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor); // until then the buttons for votes cannot have the focus
    const widths: string[] = [];

    for (let press = 0; press < 9; press++) {
      await visitor.page.keyboard.press('Tab');
      widths.push(
        await visitor.page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineWidth),
      );
    }

    expect(new Set(widths)).toEqual(new Set(['3px']));
  });
});

describe('a saying', () => {
  test('is on the screen within a frame of its arrival', async ({ visit }) => {
    const visitor = await visit();
    await visitor.page.addInitScript(countFrames);
    await visitor.open();
    await firstSaying(visitor);

    for (let round = 0; round < 5; round++) await nextSaying(visitor, () => another(visitor).click());

    const shown = () => visitor.page.evaluate(() => window.framesUntilShown);
    await expect.poll(async () => (await shown()).length).toBe(6);
    expect(Math.max(...(await shown()))).toBeLessThanOrEqual(1);
  });

  test('is only ever text', async ({ visit }) => {
    const visitor = await visit();
    const hostile = '<img src=x onerror="window.pwned=1"> <b>Lambda</b> <script>window.pwned=1</script>';
    await visitor.serverAnswers('/sayings', 200, { ...SOME, saying: hostile, source: hostile, services: [hostile] });

    await visitor.open();
    await saying(visitor).filter({ hasText: hostile }).waitFor();

    expect(await visitor.page.locator('main :is(img, b, script)').count()).toBe(0);
    expect(await visitor.page.evaluate(() => 'pwned' in window)).toBe(false);
  });

  test.for(SETTINGS)('of any length moves nothing on a $name', async (setting, { visit }) => {
    const visitor = await visit(setting);
    await visitor.open();
    await firstSaying(visitor);
    const before = await another(visitor).boundingBox();

    for (const length of [20, 95, 175, 280]) {
      const long = 'It is like a hotel that never closes and bills by the second. '.repeat(5).slice(0, length - 1);
      await visitor.serverAnswers('/sayings', 200, { ...SOME, saying: `${long}.`, degraded: 'live_spend_limit' });
      await nextSaying(visitor, () => another(visitor).click());

      expect(await another(visitor).boundingBox(), `${length} characters`).toEqual(before);
    }
  });

  test('can be copied and shared', async ({ visit }) => {
    const visitor = await visit();
    await visitor.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await visitor.page.addInitScript(() => {
      Object.assign(navigator, {
        share: (data: ShareData) => Object.assign(window, { shared: data }) && Promise.resolve(),
      });
    });
    await visitor.serverAnswers('/sayings', 200, SOME);
    await visitor.open();

    // It says so for a moment only.
    const copied = visitor.page.getByRole('button', { name: 'Copied' }).waitFor();
    await visitor.page.getByRole('button', { name: 'Copy' }).click();
    await copied;
    await visitor.page.getByRole('button', { name: 'Share' }).click();

    const quotation = `“${SOME.saying}”\n${SOME.source} · Cloud Sayings`;
    const url = `${visitor.url}/s/${SOME.sayingId}`;
    expect(await visitor.page.evaluate(() => navigator.clipboard.readText())).toBe(`${quotation}\n${url}`);
    expect(await visitor.page.evaluate(() => window.shared)).toEqual({ text: quotation, url });
  });
});

describe.each(SETTINGS)('a blind saying on a $name', (setting) => {
  test('tells its author with the vote, and moves nothing', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.serverAnswers('/sayings', 200, BLIND);
    await visitor.serverAnswers('/feedback', 200, VOTED);
    await visitor.open();
    await visitor.reads('Who wrote it? Vote to see.');
    const before = await visitor.page.locator('figure').textContent();
    const sent = visitor.page.waitForRequest(`${visitor.url}/feedback`);

    await thumb(visitor, 'up').click();
    await visitor.reads('Claude Haiku 4.5 (simulated) · written in 1.2\u00a0s');
    await visitor.reads('2 of the 3 others agree with you.');

    expect(before).not.toContain('Claude');
    expect((await sent).postDataJSON()).toMatchObject({ source: null, voteToken: 'token' });
    expect(await visitor.layoutShifts()).toEqual([]);
  });
});

test('a visitor who was not told the author is told with the vote', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await firstSaying(visitor);
  // The lot decides, as by a coin.
  const asks = visitor.page.locator('.source', { hasText: 'Who wrote it? Vote to see.' }).filter({ visible: true });
  while ((await asks.count()) === 0) await nextSaying(visitor, () => another(visitor).click());
  const text = await saying(visitor).textContent();

  await thumb(visitor, 'down').click();
  await visitor.reads(/^(.+ \(simulated\)( · written in .+)?|Written by hand)$/);
  await visitor.reads('Your thumbs down is counted.');

  expect(await saying(visitor).textContent()).toBe(text);
});

describe('a vote', () => {
  test('that does not count says so in one sentence', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/sayings', 200, BLIND);
    await visitor.serverAnswers('/feedback', 200, { ...VOTED, standing: 'set_aside' });
    await visitor.open();

    await thumb(visitor, 'up').click();

    await visitor.reads(/^Your thumbs up counts for this saying, but not in the comparison of the models, where/);
  });

  test('from before shows when its saying comes again', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/sayings', 200, { ...SOME, vote: 'NEGATIVE' });

    await visitor.open();
    await firstSaying(visitor);

    await expect.poll(() => thumb(visitor, 'down').getAttribute('aria-pressed')).toBe('true');
  });
});

test('one visitor is shown other sayings each time, in other tabs too', async ({ visit }) => {
  const visitor = await visit();
  const asked: string[] = [];
  visitor.page.on('request', (request) => {
    if (isAt('/sayings')(new URL(request.url()))) asked.push(new URL(request.url()).searchParams.get('after') ?? '');
  });
  await visitor.open();
  await firstSaying(visitor);
  const seen = [await saying(visitor).textContent()];

  for (let round = 0; round < 3; round++) seen.push(await nextSaying(visitor, () => another(visitor).click()));
  const tab = await visitor.anotherTab();
  await tab.goto(`${visitor.url}/`);
  await tab.locator('figure .saying', { hasText: /\w{3}/ }).waitFor();
  seen.push(await tab.locator('figure .saying').textContent());

  expect(new Set(seen).size).toBe(5);
  expect(asked.map((after) => after.split(',').filter(Boolean).length)).toEqual([0, 1, 2, 3]);
});

describe('a report', () => {
  const report = (visit: Visit) => visit.page.getByRole('button', { name: 'Report' });
  const dialog = (visit: Visit) => visit.page.getByRole('dialog', { name: 'Report this saying?' });

  test('is sent by keyboard alone, confirmed, and gives the focus back', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);
    const before = await saying(visitor).textContent();
    await report(visitor).focus();
    await visitor.page.keyboard.press('Enter');
    await dialog(visitor).getByRole('radio', { name: 'It is offensive' }).focus();
    await visitor.page.keyboard.press('ArrowDown');

    const [sent] = await Promise.all([
      visitor.page.waitForRequest(/\/sayings\/[0-9a-f]{32}\/report$/),
      visitor.page.keyboard.press('Enter'),
    ]);
    await visitor.reads('Thank you. Somebody will look at this saying.');
    await visitor.page.keyboard.press('Escape');

    expect(sent.postDataJSON()).toEqual({ reason: 'personal' });
    expect(await dialog(visitor).count()).toBe(0);
    expect(await visitor.page.evaluate(() => document.activeElement?.textContent)).toBe('Report');
    expect(await saying(visitor).textContent()).toBe(before);
  });

  test('can be thought better of', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);
    const asked: string[] = [];
    visitor.page.on('request', (request) => asked.push(request.url()));

    await report(visitor).click();
    await dialog(visitor).getByRole('button', { name: 'Cancel' }).click();

    expect(await dialog(visitor).count()).toBe(0);
    expect(asked).toEqual([]);
  });

  test('that cannot be stored says so and can be sent again', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/sayings', 200, SOME);
    await visitor.serverAnswers(`/sayings/${SOME.sayingId}/report`, 503, {
      error: { code: 'not_stored', message: 'This could not be stored.', details: [] },
      requestId: 'abc',
    });
    await visitor.open();
    await report(visitor).click();

    await dialog(visitor).getByRole('button', { name: 'Report' }).click();

    await visitor.reads(/^Your report was not stored. This could not be stored./);
    expect(await dialog(visitor).getByRole('button', { name: 'Report' }).isEnabled()).toBe(true);
  });
});

test.for(SETTINGS)('the dialogue of a report is accessible on a $name', async (setting, { visit }) => {
  const visitor = await visit(setting);
  await visitor.open();
  await firstSaying(visitor);

  await visitor.page.getByRole('button', { name: 'Report' }).click();
  await visitor.reads('Report this saying?');

  expect(await visitor.barriers()).toEqual([]);
  expect(await visitor.layoutShifts()).toEqual([]);
});

test('a vote on a saying that was taken down says so plainly', async ({ visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers('/feedback', 410, {
    error: { code: 'saying_withdrawn', message: 'This saying was taken down.', details: [] },
    requestId: 'abc',
  });
  await visitor.open();
  await firstSaying(visitor);

  await thumb(visitor, 'up').click();

  await visitor.reads('This saying was taken down in the meantime, so it takes no more votes.');
  expect(await thumb(visitor, 'up').getAttribute('aria-pressed')).toBe('false');
});

test('a banner says that the models are simulated', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();

  await visitor.reads(/^The models are simulated\. With an API key of their vendor \(\w+( or \w+)*\)/);
});

test('with reduced motion nothing moves', async ({ visit }) => {
  const visitor = await visit(DESKTOP, { reducedMotion: 'reduce' });
  await visitor.serverHangs('/sayings');
  await visitor.open();
  await visitor.page.locator('[aria-busy=true]').waitFor();

  expect(await visitor.page.evaluate(() => document.getAnimations().length)).toBe(0);
});

describe('what was read', () => {
  const step = (visit: Visit, name: 'Earlier' | 'Later') => visit.page.getByRole('button', { name });

  test('is still there with its vote after a reload', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);
    await thumb(visitor, 'up').click();
    await visitor.reads('Your thumbs up is counted.');
    const before = [await saying(visitor).textContent(), await visitor.page.locator('.source').textContent()];

    await visitor.page.reload();
    await firstSaying(visitor);

    expect([await saying(visitor).textContent(), await visitor.page.locator('.source').textContent()]).toEqual(before);
    expect(await thumb(visitor, 'up').getAttribute('aria-pressed')).toBe('true');
    expect((await counts(visitor)).up).toBeGreaterThan(0);
  });

  test('can be gone through by keys and buttons', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);
    const read = [await saying(visitor).textContent()];
    for (let round = 0; round < 2; round++) read.push(await nextSaying(visitor, () => another(visitor).click()));
    const shows = (place: number) => expect.poll(() => saying(visitor).textContent()).toBe(read[place]);

    await visitor.page.keyboard.press('ArrowLeft');
    await shows(1);
    await step(visitor, 'Earlier').click();
    await shows(0);
    await visitor.page.keyboard.press('ArrowLeft'); // there is nothing before it
    await visitor.page.keyboard.press('ArrowRight');
    await shows(1);
    await step(visitor, 'Later').focus();
    await visitor.page.keyboard.press('Enter');
    await shows(2);

    expect(await step(visitor, 'Later').getAttribute('aria-disabled')).toBe('true');
    expect(await visitor.page.evaluate(() => document.activeElement?.textContent)).toBe('→Later');
  });

  test('is the same in another tab, with the votes', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/sayings', 200, SOME);
    await visitor.serverAnswers('/feedback', 200, VOTED);
    await visitor.open();
    await firstSaying(visitor);
    const tab = await visitor.anotherTab();
    await tab.goto(`${visitor.url}/`);
    await tab.locator('figure .saying', { hasText: /\w{3}/ }).waitFor();

    await thumb(visitor, 'up').click();
    await visitor.reads('Your thumbs up is counted.');
    await tab.getByText('What you have read').click();

    await tab.locator('.read li', { hasText: SOME.saying }).getByRole('img', { name: 'You voted thumbs up' }).waitFor();
  });

  test('is listed with votes and links, but tells no author before the vote', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/sayings', 200, { ...numbered(SOME, 1), vote: 'NEGATIVE' });
    await visitor.open();
    await firstSaying(visitor);
    await visitor.serverAnswers('/sayings', 200, BLIND);
    await nextSaying(visitor, () => another(visitor).click());

    await visitor.page.getByText('What you have read').click();
    const entries = visitor.page.locator('.read li');
    await entries.nth(1).waitFor();

    expect(await entries.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual([
      `/s/${numbered(SOME, 1).sayingId}`,
    ]);
    expect(await entries.first().textContent()).toBe(`${BLIND.saying}Amazon S3 · vote to see who wrote it`);
    expect(await entries.nth(1).getByRole('img', { name: 'You voted thumbs down' }).count()).toBe(1);
    expect(await visitor.barriers()).toEqual([]);
  });
});

describe('keys', () => {
  const keySwitch = (visit: Visit) => visit.page.getByRole('switch', { name: 'Keys' });

  test('can be switched off, and stay off', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);
    await keySwitch(visitor).click();
    await visitor.page.reload();
    await firstSaying(visitor);
    const asked: string[] = [];
    visitor.page.on('request', (request) => asked.push(request.url()));

    for (const key of ['ArrowLeft', 'Space', 'ArrowRight']) await visitor.page.keyboard.press(key);
    const off = await keySwitch(visitor).getAttribute('aria-checked');
    await keySwitch(visitor).click();
    await visitor.page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await nextSaying(visitor, () => visitor.page.keyboard.press('Space'));

    expect(off).toBe('false');
    expect(asked.length).toBe(1);
  });

  test('the space bar scrolls where the saying goes on below the screen', async ({ visit }) => {
    const visitor = await visit({ ...DESKTOP, name: 'zoomed', viewport: { width: 640, height: 400 } });
    await visitor.serverAnswers('/sayings', 200, { ...SOME, saying: 'It is a long story about a bucket. '.repeat(8) });
    await visitor.open();
    await firstSaying(visitor);
    const asked: string[] = [];
    visitor.page.on('request', (request) => asked.push(request.url()));

    await visitor.page.keyboard.press('Space');

    await expect.poll(() => visitor.page.evaluate(() => scrollY)).toBeGreaterThan(0);
    expect(asked).toEqual([]);
  });

  test('single letters do nothing', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await firstSaying(visitor);
    const asked: string[] = [];
    visitor.page.on('request', (request) => asked.push(request.url()));

    await visitor.page.keyboard.type('abcdefghijklmnopqrstuvwxyz0123456789+-');
    await nextSaying(visitor, () => another(visitor).click());

    expect(asked.map((address) => new URL(address).pathname)).toEqual(['/sayings']);
    expect(await thumb(visitor, 'up').getAttribute('aria-pressed')).toBe('false');
  });
});

describe('a guess', () => {
  test('is judged with the vote, and the streak is kept', async ({ visit }) => {
    const visitor = await visit();
    const author = visitor.page.getByRole('group', { name: 'Guess who wrote it, if you like' });
    await visitor.serverAnswers('/feedback', 200, VOTED);
    for (const number of [1, 2]) {
      await visitor.serverAnswers('/sayings', 200, numbered(BLIND, number));
      await visitor.open();
      await firstSaying(visitor);
      if (number > 1) await nextSaying(visitor, () => another(visitor).click());

      await author.getByRole('button', { name: 'Claude Haiku 4.5' }).click();
      await thumb(visitor, 'up').click();
      await visitor.reads(/^You guessed it\./);
    }

    await visitor.reads('You guessed it. That makes 2 in a row.');
    expect(await author.count()).toBe(0);
  });

  test('that is wrong says so, and is one tap that can be undone', async ({ visit }) => {
    const visitor = await visit(PHONE);
    await visitor.serverAnswers('/sayings', 200, BLIND);
    await visitor.serverAnswers('/feedback', 200, VOTED);
    await visitor.open();
    const chip = (name: string) => visitor.page.getByRole('button', { name, exact: true });
    await chip('GPT-4.1').click();
    await chip('GPT-4.1').click();
    const undone = await chip('GPT-4.1').getAttribute('aria-pressed');

    await chip('A person').click();
    await thumb(visitor, 'down').click();

    await visitor.reads('It was not a person.');
    expect(undone).toBe('false');
    expect(await visitor.layoutShifts()).toEqual([]);
  });
});

test('the approval of the author is told after the vote, and asked for once', async ({ visit }) => {
  const visitor = await visit();
  const asked: string[] = [];
  visitor.page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const stats = { models: [{ model: SOME.model, recent: { approval: { value: 0.714, low: 0.6, high: 0.8 } } }] };
  await visitor.serverAnswers('/stats', 200, stats);
  await visitor.serverAnswers('/sayings', 200, BLIND);
  await visitor.serverAnswers('/feedback', 200, { ...VOTED, upvotes: 9, downvotes: 5 });
  await visitor.open();
  await firstSaying(visitor);
  const before = asked.includes('/stats');

  await thumb(visitor, 'up').click();
  await visitor.reads(
    '62\u00a0% of 13 others agree with you. Claude Haiku 4.5 (simulated) is at 71\u00a0% approval these days.',
  );
  await thumb(visitor, 'down').click();
  await visitor.reads(/^31\u00a0% of 13 others agree/);

  expect(before).toBe(false);
  expect(asked.filter((path) => path === '/stats').length).toBe(1);
});

test.for([{ ...PHONE, name: 'small phone', viewport: { width: 320, height: 568 } }, PHONE, DESKTOP])(
  'all buttons are in view at once on a $name',
  async (setting, { visit }) => {
    const visitor = await visit(setting);
    await visitor.serverAnswers('/sayings', 200, { ...BLIND, saying: 'It is a long story about a bucket. '.repeat(8) });
    await visitor.open();
    await firstSaying(visitor);

    for (const button of await visitor.page.locator('.controls button').filter({ visible: true }).all()) {
      const box = await button.boundingBox();
      expect((box?.y ?? 0) + (box?.height ?? 9999), (await button.textContent()) ?? '').toBeLessThanOrEqual(
        setting.viewport.height,
      );
    }
    expect(await visitor.barriers()).toEqual([]);
  },
);

test('the name of a service leads to its best sayings', async ({ visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers('/sayings', 200, SOME);
  await visitor.serverAnswers('/sayings/best', 200, PAGE);
  await visitor.open();

  await visitor.page.locator('figure').getByRole('link', { name: 'Amazon S3' }).click();
  await visitor.reads('The best sayings');

  expect(visitor.page.url()).toBe(`${visitor.url}/best?service=Amazon%20S3`);
});

test('a visitor who comes back finds the same saying', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await firstSaying(visitor);
  const before = await saying(visitor).textContent();

  await visitor.page.getByRole('link', { name: 'Compare' }).click();
  await visitor.reads('Which model says it best?');
  await visitor.page.goBack();

  await firstSaying(visitor);
  expect(await saying(visitor).textContent()).toBe(before);
});

declare global {
  interface Window {
    framesUntilShown: number[];
    shared: ShareData;
  }
}

/** In the page: counts the frames between the end of an answer and its text in the document. */
function countFrames() {
  let frame = 0;
  const tick = () => {
    frame++;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  window.framesUntilShown = [];
  const { json } = Response.prototype;
  Response.prototype.json = async function () {
    const body = await json.call(this);
    if (!body.saying) return body;
    const arrived = frame;
    const watch = () => {
      if (document.querySelector('figure .saying')?.textContent === body.saying) {
        window.framesUntilShown.push(frame - arrived);
      } else {
        requestAnimationFrame(watch);
      }
    };
    requestAnimationFrame(watch);
    return body;
  };
}
