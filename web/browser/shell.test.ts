/** What surrounds the views: the manifest, the page without a connection, and without JavaScript. */

import { expect } from 'vitest';
import { DESKTOP, PHONE, test } from './visit';

test('without a connection the page still opens', async ({ visit }) => {
  const visitor = await visit(PHONE, { worker: true });
  await visitor.open();
  await visitor.page.evaluate(() => navigator.serviceWorker.ready);
  await visitor.page.locator('blockquote.saying').waitFor();

  await visitor.goOffline();
  await visitor.page.reload();

  await visitor.reads(/^Offline\./);
});

test('it can be installed, with icons that are there', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  const manifest = await visitor.page.locator('link[rel=manifest]').getAttribute('href');

  const answer = await visitor.page.request.get(`${visitor.url}${manifest}`);
  const { icons } = (await answer.json()) as { icons: { src: string; type: string }[] };
  const found = await Promise.all(icons.map(({ src }) => visitor.page.request.get(`${visitor.url}${src}`)));

  expect(answer.headers()['content-type']).toBe('application/manifest+json');
  expect(found.map((icon) => icon.headers()['content-type'])).toEqual(icons.map(({ type }) => type));
});

test('without JavaScript it says at its top what is missing', async ({ visit }) => {
  const visitor = await visit(DESKTOP, { javaScriptEnabled: false });
  await visitor.open();

  const box = await visitor.page.locator('.no-script').boundingBox();

  expect(box?.y).toBe(0);
});
