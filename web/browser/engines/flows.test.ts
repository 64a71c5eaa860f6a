import { expect } from 'vitest';
import { test } from './visit';

test('a visitor reads, votes and goes on, and comes back to what was read', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open();
  const first = await visitor.textOf('blockquote.saying');

  await visitor.press('Thumbs up');
  await visitor.reads('Your thumbs up is counted.');
  await visitor.press('Another saying');
  await expect.poll(() => visitor.textOf('blockquote.saying')).not.toBe(first);
  await visitor.press('Earlier');

  await expect.poll(() => visitor.textOf('blockquote.saying')).toBe(first);
});

test('a visitor compares, and sees who wrote what', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open('arena');

  await visitor.press('A new one');
  await visitor.reads('Which one is the best?');
  await visitor.press('None of them');

  await visitor.reads('You liked none of them.');
  await visitor.reads('GPT-4.1-mini');
});

test('every view has an address of its own', async ({ visit }) => {
  const visitor = await visit();
  const read: string[] = [];

  for (const address of ['best', 'dashboard', 'about', 'no/where']) {
    await visitor.open(address);
    read.push(await visitor.textOf('h1'));
  }

  expect(read).toEqual([
    'The best sayings',
    'Which model do people prefer?',
    'About and privacy',
    'This page is like a spot instance',
  ]);
});

test('a vote arrives where the browser keeps nothing', async ({ visit }) => {
  const visitor = await visit({ keepsNothing: true });
  await visitor.open();
  await visitor.textOf('blockquote.saying');

  await visitor.press('Thumbs up');

  await visitor.reads(
    'Your thumbs up counts for this saying only, because your browser keeps no cookie for this page.',
  );
});
