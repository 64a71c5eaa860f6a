import { describe, expect } from 'vitest';
import type { ModelsAnswer } from '../src/api/types';
import { SETTINGS, test, type Visit } from './visit';

const card = (visit: Visit, slot: string) => visit.page.locator('.slot').filter({ hasText: `Pick ${slot}` });
const pick = (visit: Visit, name: string) => visit.page.getByRole('button', { name });

// The stream says how many answers are there when the last one comes, too.
const MEANWHILE = /^\d of 4 answers are in\. All of them will be shown at once …$/;

async function compare(visitor: Visit, service?: string): Promise<void> {
  await visitor.open('#/compare');
  if (service) await visitor.page.getByLabel('About').selectOption(service);
  await visitor.page.getByRole('button', { name: 'Ask the models' }).click();
}

async function complete(visitor: Visit): Promise<void> {
  await visitor.reads(/^The answers about .+ are in\. Which one is the best\?$/);
}

/** The text of the view without the sayings, which may say anything. */
function textAroundSayings(visitor: Visit): Promise<string> {
  return visitor.page.locator('main').evaluate((main) => {
    const copy = main.cloneNode(true) as Element;
    for (const saying of copy.querySelectorAll('blockquote')) saying.remove();
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

    if (setting.hasTouch) await pick(visitor, 'Pick B').tap();
    else await pick(visitor, 'Pick B').click();
    await visitor.reads(/^You picked B: /);

    expect(await visitor.page.locator('.slot blockquote').count()).toBe(names.length);
    expect(names.filter((name) => before.includes(name))).toEqual([]);
    expect(before).not.toContain('$');
    const revealed = await visitor.page.locator('.unveiled strong').allTextContents();
    expect(revealed.sort()).toEqual(names.sort());
    expect(await visitor.page.locator('.unveiled').allTextContents()).toEqual(
      names.map(() => expect.stringMatching(/\d\sm?s .*\$0\.\d+ .*\d+ \+ \d+ tokens/)),
    );
  });

  test('is accessible before, meanwhile and after', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.holdAnswers();
    await visitor.open('#/compare');
    await visitor.reads('Which model says it best?');
    const before = await visitor.barriers();
    await visitor.page.getByRole('button', { name: 'Ask the models' }).click();
    await visitor.reads(MEANWHILE);
    const shown = await visitor.page.locator('.slot blockquote').count();
    const meanwhile = await visitor.barriers();
    await visitor.releaseAnswers();
    await complete(visitor);
    await pick(visitor, 'Pick C').click();
    await visitor.reads(/^You picked C/);

    expect([before, meanwhile, await visitor.barriers()]).toEqual([[], [], []]);
    expect(shown).toBe(0);
  });

  test('moves nothing while it fills and after the pick', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.holdAnswers();
    await compare(visitor);
    await visitor.page.locator('.slot').first().waitFor();
    const before = await visitor.layoutShifts(); // the visitor's press has brought the cards

    await visitor.reads(MEANWHILE);
    await visitor.releaseAnswers();
    await complete(visitor);
    await pick(visitor, 'Pick D').click();
    await visitor.reads(/^You picked D/);

    expect(await visitor.layoutShifts()).toEqual(before);
  });
});

describe('the keys 1 to 4', () => {
  test('pick an answer once all of them are in', async ({ visit }) => {
    const visitor = await visit();
    await visitor.holdAnswers();
    await compare(visitor);
    await visitor.reads(MEANWHILE);
    await visitor.page.keyboard.press('2');
    await visitor.releaseAnswers();
    await complete(visitor);
    const early = await visitor.page.locator('[aria-pressed=true]').count();

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
    await visitor.page.keyboard.press(String('ABCD'.indexOf(slot) + 1));
    const early = await visitor.page.locator('[aria-pressed=true]').count();
    await pick(visitor, 'None of them').click();
    await visitor.reads('You liked none of them.');

    expect(early).toBe(0);
    expect(await failed.locator('.unveiled strong').textContent()).toBe(failing?.name);
    expect(await failed.textContent()).toContain('No answer. It declined to answer.');
    expect(await visitor.page.locator('.slot blockquote').count()).toBe(others.length);
  });

  test('leaves nothing to compare when all of them do', async ({ visit, orderFaults }) => {
    await orderFaults({ '*': { kind: 'refusal' } });
    const visitor = await visit();
    await compare(visitor);

    await visitor.reads('There are too few answers to compare.');

    expect(await pick(visitor, 'It is a tie').isDisabled()).toBe(true);
    await orderFaults({});
    await pick(visitor, 'Ask again').click();
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
    await pick(visitor, 'Pick A').focus();
    await visitor.page.keyboard.press('Enter');
    await visitor.reads(/^You picked A/);

    const focused = await visitor.page.evaluate(() => document.activeElement?.textContent);
    await visitor.page.keyboard.press('Enter');
    await visitor.page.keyboard.press('2');
    await pick(visitor, 'It is a tie').click({ force: true });

    expect(focused).toBe('Pick A');
    expect(sent).toEqual(['POST']);
    expect(await visitor.page.locator('[aria-pressed=true]').allTextContents()).toEqual(['Pick A']);
  });

  test('is there again after a reload, open and revealed', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await complete(visitor);
    const sayings = await visitor.page.locator('.slot blockquote').allTextContents();

    await visitor.page.reload();
    await complete(visitor);
    const open = await visitor.page.locator('.slot blockquote').allTextContents();
    await pick(visitor, 'Pick B').click();
    await visitor.reads(/^You picked B: /);
    await visitor.page.reload();
    await visitor.reads(/^You picked B: /);

    expect(open).toEqual(sayings);
    expect(await visitor.page.locator('.unveiled strong').count()).toBe(4);
    expect(await pick(visitor, 'Pick A').isDisabled()).toBe(true);
  });

  test('from earlier is there for those who ask', async ({ visit }) => {
    const other = await visit();
    await compare(other, 'Amazon SQS');
    await complete(other);
    const visitor = await visit();
    await visitor.open('#/compare');
    await visitor.page.getByLabel('About').selectOption('Amazon SQS');

    await pick(visitor, 'Compare earlier answers').click();
    await complete(visitor);

    await visitor.reads(/^This comparison was made earlier and is new to you\./);
    await pick(visitor, 'None of them').click();
    await visitor.reads('You liked none of them.');
  });

  test('goes on while the visitor looks at another view', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await visitor.page.getByRole('link', { name: 'Sayings', exact: true }).click();
    await visitor.page.locator('figure .saying').filter({ hasText: /\w{3}/ }).waitFor();

    await visitor.page.getByRole('link', { name: 'Compare' }).click();

    await complete(visitor);
    expect(await visitor.page.locator('.slot blockquote').count()).toBe(4);
  });

  test('from earlier says why, as one JSON document too', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/compare', 200, { ...WHOLE, replayed: true, reason: 'budget' });
    await compare(visitor);
    await complete(visitor);

    await visitor.reads(/^The money that may be spent on models today, or in this hour, is used up\. This comparison/);

    expect(await card(visitor, 'A').textContent()).toContain(WHOLE.slots[0]?.saying);
  });

  test('that fails says why and when to try again', async ({ visit }) => {
    const visitor = await visit();
    const error = { code: 'comparison_unavailable', message: 'No comparison is available right now.' };
    await visitor.serverAnswers('/compare', 503, { error, requestId: 'abc123' }, { 'Retry-After': '90' });
    await compare(visitor);

    await visitor.reads(/No comparison is available right now\./);
    await visitor.reads(/Try again in \d+ seconds\./);
    await visitor.reads('Request abc123');
    await visitor.serverRecovers();
    await pick(visitor, 'Ask again').click();

    await complete(visitor);
  });

  test('is only ever text', async ({ visit }) => {
    const visitor = await visit();
    const hostile = '<img src=x onerror="window.pwned=1"><b>Lambda</b>';
    const slots = WHOLE.slots.map((slot) => ({ ...slot, saying: hostile }));
    await visitor.serverAnswers('/compare', 200, { ...WHOLE, service: hostile, slots });

    await compare(visitor);
    await complete(visitor);

    expect(await visitor.page.locator('.slot blockquote').first().textContent()).toBe(hostile);
    expect(await visitor.page.locator('main :is(img, b)').count()).toBe(0);
  });

  test('picked offline is revealed when back online', async ({ visit }) => {
    const visitor = await visit();
    await compare(visitor);
    await complete(visitor);

    await visitor.goOffline();
    await visitor.page.keyboard.press('1');
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
