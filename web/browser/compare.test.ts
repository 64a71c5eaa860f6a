import type { Locator } from 'playwright-core';
import { describe, expect } from 'vitest';
import type { ModelsAnswer } from '../src/api/types';
import { PHONE, SETTINGS, type Setting, test, type Visit } from './visit';

const card = (visit: Visit, slot: string) => visit.page.locator('.slot').nth('ABCD'.indexOf(slot));
const controls = (visit: Visit) => visit.page.locator('.controls');
const button = (visit: Visit, name: string | RegExp) => controls(visit).getByRole('button', { name });
const sayings = (visit: Visit) => visit.page.locator('.slot .wording');
const authors = (visit: Visit) => visit.page.locator('.slot .name');
const pressed = (visit: Visit) => visit.page.locator('.slot [aria-pressed=true]');

// The stream says how many answers are there when the last one comes, too.
const MEANWHILE = /^\d of 4 answers are in\. All of them will be shown at once …$/;

/** Opens the arena. It has an earlier comparison, or none, before the visitor does anything. */
async function arrive(visitor: Visit): Promise<void> {
  await visitor.open('arena');
  await visitor.page.locator('.arena:not([data-stage=waiting])').waitFor();
}

async function ask(visitor: Visit, service = ''): Promise<void> {
  const other = button(visitor, 'Another');
  if (await other.isVisible()) await other.click();
  await controls(visitor).getByLabel('About').selectOption(service);
  await button(visitor, /^A new one/).click();
}

/** Asks for a new comparison. */
async function compare(visitor: Visit, service?: string): Promise<void> {
  await arrive(visitor);
  await ask(visitor, service);
}

async function complete(visitor: Visit): Promise<void> {
  await visitor.reads(/^The answers about .+ are in\. Which one is the best\?$/);
}

/** The text of the view without the sayings, which may say anything. */
function textAroundSayings(visitor: Visit): Promise<string> {
  return visitor.page.locator('main').evaluate((main) => {
    const copy = main.cloneNode(true) as Element;
    for (const saying of copy.querySelectorAll('.wording')) saying.remove();
    return copy.textContent ?? '';
  });
}

async function modelsOf(visitor: Visit): Promise<ModelsAnswer['models']> {
  const answer: ModelsAnswer = await (await fetch(`${visitor.url}/models`)).json();
  return answer.models.filter(({ participates }) => participates);
}

describe.each(SETTINGS)('a comparison on a $name', (setting) => {
  test('hides who wrote what until a pick', async ({ visit }) => {
    const visitor = await visit(setting);
    const names = (await modelsOf(visitor)).map(({ name }) => name);
    await compare(visitor, 'AWS Lambda');
    await complete(visitor);
    const before = await textAroundSayings(visitor);

    if (setting.hasTouch) await card(visitor, 'B').getByRole('button').tap();
    else await card(visitor, 'B').getByRole('button').click();
    await visitor.reads(/^You picked B: /);

    expect(await sayings(visitor).count()).toBe(names.length);
    expect(names.filter((name) => before.includes(name))).toEqual([]);
    expect(before).not.toContain('$');
    expect((await authors(visitor).allTextContents()).sort()).toEqual(names.sort());
    expect(await visitor.page.locator('.facts').allTextContents()).toEqual(
      names.map(() => expect.stringMatching(/\d\sm?s .*\$0\.\d+ .*\d+ \+ \d+ tokens/)),
    );
    expect(await card(visitor, 'B').textContent()).toContain('your pick');
  });

  test('is accessible before, meanwhile and after', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.holdAnswers();
    await arrive(visitor);
    const before = await visitor.barriers();
    await ask(visitor);
    await visitor.reads(MEANWHILE);
    const shown = await sayings(visitor).count();
    const meanwhile = await visitor.barriers();
    await visitor.releaseAnswers();
    await complete(visitor);
    const open = await visitor.barriers();
    await card(visitor, 'C').getByRole('button').click();
    await visitor.reads(/^You picked C/);

    expect([before, meanwhile, open, await visitor.barriers()]).toEqual([[], [], [], []]);
    expect(shown).toBe(0);
  });

  test('moves nothing while it fills and after the pick', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.holdAnswers();
    await compare(visitor);
    await visitor.page.locator('.slot[data-state=writing]').first().waitFor();
    const before = await visitor.layoutShifts(); // the visitor's press has brought the places for the answers

    await visitor.reads(MEANWHILE);
    await visitor.releaseAnswers();
    await complete(visitor);
    await card(visitor, 'D').getByRole('button').click();
    await visitor.reads(/^You picked D/);

    // The footer makes space for what a press has brought.
    const moved = (await visitor.layoutShifts()).slice(before.length).filter((shift) => !shift.includes('<footer'));
    expect(moved).toEqual([]);
  });
});

const SMALL_PHONE: Setting = { ...PHONE, name: 'small phone', viewport: { width: 320, height: 568 } };

test.for([SMALL_PHONE, PHONE])('the controls are in view on a $name', async (setting, { visit }) => {
  const visitor = await visit(setting);
  await visitor.serverAnswers('/compare', 200, WHOLE);
  await arrive(visitor);
  await complete(visitor);
  const whileOpen = await isInView(button(visitor, 'None of them'));

  await visitor.serverRecovers();
  await ask(visitor);
  await complete(visitor);
  await card(visitor, 'A').getByRole('button').click();
  await visitor.reads(/^You picked A/);

  expect(whileOpen).toBe(true);
  expect(await isInView(button(visitor, /^A new one/))).toBe(true);
  expect(await isInView(controls(visitor).getByLabel('About'))).toBe(true);
});

function isInView(locator: Locator): Promise<boolean> {
  return locator.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  });
}

test('two answers share the screen of a phone', async ({ visit }) => {
  const visitor = await visit(PHONE);
  const long = 'Lambda is a taxi that appears when you whistle and forgets you when you close the door, '.repeat(3);
  const slots = WHOLE.slots.map((slot) => ({ ...slot, saying: long.slice(0, 250) }));
  await visitor.serverAnswers('/compare', 200, { ...WHOLE, slots });

  await arrive(visitor);
  await complete(visitor);

  expect(await isInView(card(visitor, 'A'))).toBe(true);
  expect(await isInView(card(visitor, 'B'))).toBe(true);
});

describe('the keys', () => {
  test('pick an answer only while the focus is on the answers', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await complete(visitor);
    await visitor.page.locator('main').focus();
    await visitor.page.keyboard.press('2');
    await visitor.page.keyboard.press('c');
    const early = await pressed(visitor).count();

    await card(visitor, 'A').getByRole('button').focus();
    await visitor.page.keyboard.press('c');
    await visitor.reads(/^You picked C/);

    expect(early).toBe(0);
  });

  test('work at once after asking by keyboard', async ({ visit }) => {
    const visitor = await visit();
    await visitor.holdAnswers();
    await arrive(visitor);
    await ask(visitor);
    await visitor.reads(MEANWHILE);
    await visitor.page.keyboard.press('2');
    await visitor.releaseAnswers();
    await complete(visitor);
    const early = await pressed(visitor).count();

    await visitor.page.keyboard.press('3');
    await visitor.reads(/^You picked C/);

    expect(early).toBe(0);
  });
});

describe('a model that fails', () => {
  test('is explained and cannot be picked', async ({ visit, orderFaults }) => {
    const visitor = await visit();
    const [failing, ...others] = await modelsOf(visitor);
    await orderFaults({ [String(failing?.model)]: { kind: 'refusal' } });
    await compare(visitor);
    await complete(visitor);
    await visitor.reads('No answer. It wrote nothing that could be compared.');

    const failed = visitor.page.locator('.slot[data-state=failed]');
    const slot = (await failed.locator('.letter').textContent())?.at(-1) ?? '';
    await visitor.page.keyboard.press(slot);
    const early = await pressed(visitor).count();
    await button(visitor, 'None of them').click();
    await visitor.reads('You liked none of them.');

    expect(early).toBe(0);
    expect(await card(visitor, slot).locator('.name').textContent()).toBe(failing?.name);
    expect(await card(visitor, slot).textContent()).toContain('No answer. It declined to answer.');
    expect(await sayings(visitor).count()).toBe(others.length);
  });

  test('leaves nothing to compare when all of them do', async ({ visit, orderFaults }) => {
    await orderFaults({ '*': { kind: 'refusal' } });
    const visitor = await visit();
    await compare(visitor);

    await visitor.reads('There are too few answers to compare.');

    expect(await button(visitor, 'A tie').count()).toBe(0);
    await orderFaults({});
    await ask(visitor);
    await complete(visitor);
  });
});

describe('a comparison', () => {
  test('takes no other pick once the first is made', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await complete(visitor);
    const sent: string[] = [];
    visitor.page.on('request', (request) => sent.push(request.method()));
    await card(visitor, 'A').getByRole('button').focus();
    await visitor.page.keyboard.press('Enter');
    await visitor.page.keyboard.press('2');
    await visitor.reads(/^You picked A/);
    await visitor.page.keyboard.press('2');

    expect(sent).toEqual(['POST']);
    expect(await visitor.page.locator('.slot').getByRole('button').count()).toBe(0);
    expect(await visitor.page.evaluate(() => document.activeElement?.className)).toBe('slots');
  });

  test('is there again after a reload, open and revealed', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await complete(visitor);
    const before = await sayings(visitor).allTextContents();

    await visitor.page.reload();
    await complete(visitor);
    const open = await sayings(visitor).allTextContents();
    await card(visitor, 'B').getByRole('button').click();
    await visitor.reads(/^You picked B: /);
    await visitor.page.reload();
    await visitor.reads(/^You picked B: /);

    expect(open).toEqual(before);
    expect(await authors(visitor).count()).toBe(4);
  });

  test('is the same in a second tab, with its reveal', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await complete(visitor);
    const other = await visitor.page.context().newPage();
    await other.goto(visitor.page.url());
    await other.getByText(/^The answers about .+ are in\./).waitFor();
    const same = await other.locator('.slot .wording').allTextContents();
    const before = await sayings(visitor).allTextContents();

    await card(visitor, 'B').getByRole('button').click();
    await other.getByText(/^You picked B: /).waitFor();

    expect(same).toEqual(before);
  });

  test('from earlier is there on arrival, and for those who ask', async ({ visit }) => {
    const other = await visit();
    await compare(other, 'Amazon SQS');
    await complete(other);
    await ask(other, 'Amazon SQS'); // the visitor may be shown the first one on arrival
    await complete(other);
    const visitor = await visit();
    await arrive(visitor);
    await visitor.reads(/^This comparison was made earlier and is new to you\./);
    await button(visitor, 'Another').click();
    await controls(visitor).getByLabel('About').selectOption('Amazon SQS');

    await button(visitor, /^An earlier one/).click();
    await visitor.reads('The answers about Amazon SQS are in. Which one is the best?');

    await button(visitor, 'None of them').click();
    await visitor.reads('You liked none of them.');
  });

  test('from earlier that nobody has made says so', async ({ visit }) => {
    const visitor = await visit();
    const error = { code: 'comparison_not_found', message: 'No comparison is stored that you have not seen.' };
    await visitor.serverAnswers('/compare', 404, { error, requestId: 'a1' });
    await arrive(visitor);
    await visitor.reads('Four models, one service, no names.');
    const barriers = await visitor.barriers();

    await button(visitor, /^An earlier one/).click();

    await visitor.reads('You have seen all earlier comparisons. The models would write you a new one.');
    expect(barriers).toEqual([]);
    expect(await visitor.page.evaluate(() => document.activeElement?.className)).toBe('arena');
  });

  test('goes on while the visitor looks at another view', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await visitor.page.getByRole('link', { name: 'Sayings', exact: true }).click();
    await visitor.page.locator('figure .saying').filter({ hasText: /\w{3}/ }).waitFor();

    await visitor.page.getByRole('link', { name: 'Compare' }).click();

    await complete(visitor);
    expect(await sayings(visitor).count()).toBe(4);
  });

  test('from earlier says why, as one JSON document too', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/compare', 200, { ...WHOLE, replayed: true, reason: 'budget' });
    await compare(visitor);
    await complete(visitor);

    await visitor.reads(/^The money that may be spent on models today, or in this hour, is used up\. This comparison/);

    expect(await card(visitor, 'A').textContent()).toContain(WHOLE.slots[0]?.saying);
  });

  test('that fails says why, and is asked for again by itself', async ({ visit }) => {
    const visitor = await visit();
    const error = { code: 'comparison_unavailable', message: 'No comparison is available right now.' };
    await visitor.serverAnswers('/compare', 503, { error, requestId: 'abc123' }, { 'Retry-After': '3' });
    await compare(visitor);

    await visitor.reads(/No comparison is available right now\./);
    await visitor.reads('Request abc123');
    await visitor.serverRecovers();

    await complete(visitor);
  });

  test('that cannot be had offline is asked for when back online', async ({ visit }) => {
    const visitor = await visit();
    await arrive(visitor);
    await visitor.goOffline();
    await ask(visitor);
    await visitor.reads('You are offline. The comparison is asked for again as soon as you are back.');

    await visitor.goOffline(false);

    await complete(visitor);
  });

  test('is only ever text', async ({ visit }) => {
    const visitor = await visit();
    const hostile = '<img src=x onerror="window.pwned=1"><b>Lambda</b>';
    const slots = WHOLE.slots.map((slot) => ({ ...slot, saying: hostile }));
    await visitor.serverAnswers('/compare', 200, { ...WHOLE, service: hostile, slots });

    await arrive(visitor);
    await complete(visitor);

    expect(await sayings(visitor).first().textContent()).toBe(hostile);
    expect(await visitor.page.locator('main :is(img, b)').count()).toBe(0);
  });

  test('picked offline is revealed when back online', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await complete(visitor);

    await visitor.goOffline();
    await card(visitor, 'A').getByRole('button').click();
    await visitor.reads(/^You are offline\. Your pick is kept here/);
    await visitor.goOffline(false);

    await visitor.reads(/^You picked A: /);
  });
});

const WHOLE = {
  comparisonId: '9f'.repeat(16),
  service: 'AWS Lambda',
  replayed: false,
  reason: null,
  votable: true,
  slots: ['A', 'B', 'C', 'D'].map((slot) => ({ slot, saying: `Lambda is taxi ${slot}.`, error: null })),
};
