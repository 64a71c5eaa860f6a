import { describe, expect } from 'vitest';
import { SETTINGS, test, type Visit } from './visit';

const forgetMe = (visit: Visit) => visit.page.getByRole('button', { name: 'Forget me' });
const question = (visit: Visit) => visit.page.getByRole('dialog', { name: 'Forget you?' });
const up = (visit: Visit) => visit.page.getByRole('button', { name: 'Thumbs up' });

async function openAbout(visitor: Visit): Promise<void> {
  await visitor.page.getByRole('link', { name: 'About and privacy' }).click();
  await visitor.page.getByRole('heading', { level: 1, name: 'About and privacy' }).waitFor();
}

async function vote(visitor: Visit): Promise<void> {
  await visitor.open();
  await visitor.page.locator('figure .saying').filter({ hasText: /\w{3}/ }).waitFor();
  await up(visitor).click();
  await visitor.reads('Your thumbs up is counted.');
}

/** The names of the cookies, and what the page keeps in this browser. */
async function keptOf(visitor: Visit): Promise<string[]> {
  const cookies = await visitor.page.context().cookies();
  const stored = await visitor.page.evaluate(() => [localStorage, sessionStorage].flatMap((one) => Object.keys(one)));
  return [...cookies.map(({ name }) => name), ...stored.sort()];
}

const KEPT = ['sayings_voter', 'sayings.current', 'sayings.read', 'sayings.seen'];

describe.each(SETTINGS)('the view about privacy on a $name', (setting) => {
  test('forgets a visitor who confirms it', async ({ visit }) => {
    const visitor = await visit(setting);
    await vote(visitor);
    await openAbout(visitor);
    const before = await keptOf(visitor);
    const shifts = await visitor.layoutShifts();

    await forgetMe(visitor).click();
    await question(visitor).waitFor();
    const barriers = await visitor.barriers();
    await question(visitor).getByRole('button', { name: 'Forget me' }).click();
    await visitor.reads('Done. Nothing of you is stored here any more.');

    expect([before, await keptOf(visitor)]).toEqual([KEPT, []]);
    expect(barriers).toEqual([]);
    expect(await visitor.layoutShifts()).toEqual(shifts);
    await visitor.page.getByRole('link', { name: 'Sayings', exact: true }).click();
    await visitor.page.locator('figure .saying').filter({ hasText: /\w{3}/ }).waitFor();
    expect(await visitor.page.locator('[aria-pressed=true]').count()).toBe(0);
  });
});

test('by keyboard a visitor may change their mind', async ({ visit }) => {
  const visitor = await visit();
  await vote(visitor);
  await openAbout(visitor);

  await forgetMe(visitor).focus();
  await visitor.page.keyboard.press('Enter');
  await question(visitor).waitFor();
  await visitor.page.keyboard.press('Escape');

  await expect.poll(() => question(visitor).count()).toBe(0);
  expect(await keptOf(visitor)).toEqual(KEPT);
});

test('a server that cannot forget says when to try again', async ({ visit }) => {
  const visitor = await visit();
  const body = { error: { code: 'not_forgotten', message: 'Not right now.' }, requestId: '6b01' };
  await visitor.serverAnswers('/me', 503, body, { 'Retry-After': '1' });
  await visitor.open('about');

  await forgetMe(visitor).click();
  await question(visitor).getByRole('button', { name: 'Forget me' }).click();

  await visitor.reads(/^You are not forgotten yet\. Not right now\./);
  await visitor.reads('You can try again now.');
});

test('what is forgotten later has a date', async ({ visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers('/me', 200, { status: 'accepted', forgottenBefore: '2026-12-02T10:00:00+00:00' });
  await visitor.open('about');

  await forgetMe(visitor).click();
  await question(visitor).getByRole('button', { name: 'Forget me' }).click();

  await visitor.reads(/Everything else will be gone by 2 December 2026\.$/);
});

test('the address survives a reload', async ({ visit }) => {
  const visitor = await visit();
  await visitor.open('about');

  await visitor.page.reload();

  await visitor.page.getByRole('heading', { level: 1, name: 'About and privacy' }).waitFor();
});
