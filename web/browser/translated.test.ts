/** A page that the browser translates while it is used. */

import { expect } from 'vitest';
import { BLIND, LISTED, numbered, PAGE, SOME, VOTED } from './answers';
import { isAt, test, type Visit } from './visit';

/**
 * In the page: does what Google's translator does. It takes every text out of the page and puts its translation, here
 * the same text in brackets, into two elements of its own; and so with every text that comes later.
 */
function translate() {
  const isOurs = (node: Node) => node.parentElement?.closest('font') !== null;
  const wrap = (root: Node) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    while (walker.nextNode()) texts.push(walker.currentNode as Text);
    for (const text of root instanceof Text ? [root] : texts) {
      if (!text.data.trim() || isOurs(text) || text.parentElement?.closest('script, style, option, title')) continue;
      const outer = document.createElement('font');
      const inner = outer.appendChild(document.createElement('font'));
      inner.textContent = `[${text.data.trim()}]`;
      text.replaceWith(outer);
    }
  };
  const begin = () => {
    wrap(document.body);
    new MutationObserver((records) => {
      for (const { addedNodes, target } of records) for (const node of [...addedNodes, target]) wrap(node);
    }).observe(document.body, { childList: true, characterData: true, subtree: true });
  };
  addEventListener('DOMContentLoaded', begin);
}

/** What the page says in one place, in which every text must have been translated once. */
async function says(visitor: Visit, place: string, words: string): Promise<void> {
  await expect.poll(() => visitor.page.locator(place).textContent()).toBe(words);
}

test('a translated page goes on telling what is so', async ({ visit }) => {
  const visitor = await visit();
  await visitor.page.addInitScript(translate);
  await visitor.serverAnswers('/sayings', 200, BLIND);
  await visitor.serverAnswers('/feedback', 200, VOTED);
  await visitor.serverAnswers('/stats', 200, { models: [] });
  await visitor.serverAnswers('/sayings/best', 200, PAGE);
  await visitor.serverAnswers(`/sayings/${LISTED.sayingId}`, 200, LISTED);
  const thumbUp = visitor.page.getByRole('button', { name: 'Thumbs up' });
  await visitor.open();
  await says(visitor, '.saying', `[${SOME.saying}]`);
  await says(visitor, '.source', '[Who wrote it? Vote to see.]');

  await visitor.page.getByRole('button', { name: '[A person]' }).click();
  await thumbUp.click();
  await says(visitor, '.source', '[Claude Haiku 4.5 (simulated) · written in 1.2\u00a0s]');
  await says(visitor, '.news', '[It was not a person.][2 of the 3 others agree with you.][Your thumbs up is counted.]');
  await says(visitor, '.votes', '[3][1]');

  await visitor.serverAnswers('/feedback', 200, { ...VOTED, upvotes: 2, downvotes: 2, status: 'changed' });
  await visitor.page.getByRole('button', { name: 'Thumbs down' }).click();
  await says(visitor, '.votes', '[2][2]');
  await expect
    .poll(() => visitor.page.locator('.news').textContent())
    .toMatch(/\]\[1 of .+\]\[Your vote is now a thumbs down\./);

  await visitor.serverAnswers('/sayings', 200, numbered(SOME, 2));
  await visitor.page.getByRole('button', { name: '[Another saying]' }).click();
  await says(visitor, '.saying', `[${numbered(SOME, 2).saying}]`);
  await says(visitor, '.news', '');
  await visitor.page.keyboard.press('ArrowLeft');
  await says(visitor, '.saying', `[${SOME.saying}]`);
  await visitor.page.locator('.read summary').click();
  await says(visitor, '.read li:last-child a', `[${SOME.saying}]`);

  await visitor.page.getByRole('link', { name: '[Best]' }).click();
  await says(visitor, 'h1', '[The best sayings]');
  await visitor.page.getByRole('link', { name: '[New]' }).click();
  await says(visitor, 'h1', '[The newest sayings]');
  await visitor.page.locator('.listed blockquote a').click();
  await says(visitor, '.saying', `[${SOME.saying}]`);
  await visitor.page.getByRole('link', { name: '[Sayings]' }).click();
  await says(visitor, '.saying', `[${SOME.saying}]`);

  expect(await visitor.page.locator('main').textContent()).not.toMatch(/\[\[|\]\]/);
});

test('a translated page sends the name of the service, not its translation', async ({ visit }) => {
  const visitor = await visit();
  await visitor.page.addInitScript(translate);
  await visitor.serverAnswers('/sayings/best', 200, PAGE);
  await visitor.open('best');
  await says(visitor, 'h1', '[The best sayings]');
  const select = visitor.page.getByRole('combobox').first();
  await select.evaluate((element) => {
    for (const option of (element as HTMLSelectElement).options) option.textContent = `[${option.text}]`;
  });

  const asked = visitor.page.waitForRequest((request) => isAt('/sayings/best')(new URL(request.url())));
  await select.selectOption({ label: '[Amazon S3]' });

  expect(new URL((await asked).url()).searchParams.get('service')).toBe('Amazon S3');
});
