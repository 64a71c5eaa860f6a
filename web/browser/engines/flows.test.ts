import { expect } from 'vitest';
import { test } from './visit';

test('a visitor reads, votes and goes on', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  const first = await visitor.textOf('blockquote.saying');

  await visitor.press('Thumbs up');
  await visitor.reads('Your thumbs up is counted.');
  await visitor.press('Another saying');

  await expect.poll(() => visitor.textOf('blockquote.saying')).not.toBe(first);
});

test('a vote arrives where the browser keeps nothing', async ({ visit }) => {
  const visitor = await visit({ keepsNothing: true });
  await visitor.open();
  await visitor.textOf('blockquote.saying');

  await visitor.press('Thumbs up');

  await visitor.reads('counts for this saying');
});
