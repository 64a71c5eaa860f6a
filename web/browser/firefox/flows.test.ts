import { expect } from 'vitest';
import { NO_SITE_DATA, test } from './firefox';

test('a visitor reads, votes and goes on', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  await visitor.page.waitForSelector('blockquote.saying');

  await visitor.press('Thumbs up');
  await visitor.reads('Your thumbs up is counted.');
  await visitor.press('Another saying');
  await visitor.page.waitForSelector('.vote[aria-pressed=true]', { hidden: true });

  expect(await visitor.page.$$eval('blockquote.saying', (sayings) => sayings.length)).toBe(1);
});
test('a vote arrives', async ({ visit }) => {
  const visitor = await visit(NO_SITE_DATA);
  await visitor.open();
  await visitor.page.waitForSelector('blockquote.saying');

  await visitor.press('Thumbs up');
  await visitor.reads('counts for this saying');
});
