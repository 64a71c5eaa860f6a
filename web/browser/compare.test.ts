import { describe, expect } from 'vitest';
import { orderFaults, SETTINGS, test, type Visit } from './visit';

const card = (visit: Visit, slot: string) => visit.page.locator('.slot').filter({ hasText: `Pick ${slot}` });
const pick = (visit: Visit, name: string) => visit.page.getByRole('button', { name });

async function comparison(visitor: Visit, service?: string): Promise<void> {
  await visitor.open('#/compare');
  if (service) await visitor.page.getByLabel('About').selectOption(service);
  await visitor.page.getByRole('button', { name: 'Ask the models' }).click();
}

async function complete(visitor: Visit): Promise<void> {
  await visitor.reads(/^All answers about .+ are in\. Which one is the best\?$/, 20_000);
}

describe.each(SETTINGS)('a comparison on a $name', (setting) => {
  test('fills as answers come in, hides who wrote them, and tells after the pick', async ({ visit }) => {
    const visitor = await visit(setting);
    await comparison(visitor, 'AWS Lambda');
    await visitor.reads(/^(4 models are writing about AWS Lambda|\d of 4 answers are in)/);
    await complete(visitor);
    const before = await visitor.page.locator('main').textContent();

    if (setting.hasTouch) await pick(visitor, 'Pick B').tap();
    else await pick(visitor, 'Pick B').click();
    await visitor.reads(/^You picked B: (Claude|GPT)/);

    expect(await visitor.page.locator('.slot blockquote').count()).toBe(4);
    expect(before).not.toMatch(/Claude|GPT|\$/);
    const names = await visitor.page.locator('.unveiled strong').allTextContents();
    expect(names.sort()).toEqual(['Claude Haiku 4.5', 'Claude Sonnet 4.5', 'GPT-4.1', 'GPT-4.1-mini']);
    expect(await visitor.page.locator('.unveiled').allTextContents()).toEqual(
      Array(4).fill(expect.stringMatching(/\d\sm?s .*\$0\.\d+ .*\d+ \+ \d+ tokens/)),
    );
  });

  test('lets one change the pick afterwards', async ({ visit }) => {
    const visitor = await visit(setting);
    await comparison(visitor);
    await complete(visitor);
    await pick(visitor, 'Pick A').click();
    await visitor.reads(/^You picked A/);

    await pick(visitor, 'It is a tie').click();
    await visitor.reads('You called it a tie.');
    await pick(visitor, 'None of them').click();
    await visitor.reads('You liked none of them.');

    expect(await pick(visitor, 'None of them').getAttribute('aria-pressed')).toBe('true');
    expect(await pick(visitor, 'Pick A').getAttribute('aria-pressed')).toBe('false');
  });

  test('is open to everybody before, meanwhile and after', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.open('#/compare');
    await visitor.reads('Which model says it best?');
    const before = await visitor.barriers();
    await visitor.page.getByRole('button', { name: 'Ask the models' }).click();
    await visitor.reads(/models are writing|answers are in/);
    const meanwhile = await visitor.barriers();
    await complete(visitor);
    await pick(visitor, 'Pick C').click();
    await visitor.reads(/^You picked C/);

    expect([before, meanwhile, await visitor.barriers()]).toEqual([[], [], []]);
  });

  test('moves nothing while it fills and when it is unveiled', async ({ visit }) => {
    const visitor = await visit(setting);
    await comparison(visitor);
    await visitor.page.locator('.slot').first().waitFor();
    await visitor.page.waitForTimeout(100);
    const before = await visitor.layoutShifts(); // the cards have come because somebody pressed the button

    await complete(visitor);
    await pick(visitor, 'Pick D').click();
    await visitor.reads(/^You picked D/);

    expect(await visitor.layoutShifts()).toEqual(before);
  });
});

describe('by keyboard', () => {
  test('1 to 4 pick, once there is something to pick', async ({ visit }) => {
    const visitor = await visit();
    await comparison(visitor);
    await visitor.page.keyboard.press('2');
    await complete(visitor);
    const early = await pick(visitor, 'Pick B').getAttribute('aria-pressed');

    await visitor.page.keyboard.press('3');
    await visitor.reads(/^You picked C/);

    expect(early).toBe('false');
  });
});

describe('a model that fails', () => {
  test('is explained, cannot be picked, and the others stand', async ({ visit }) => {
    await orderFaults({ 'gpt-4.1': [{ kind: 'refusal' }] });
    const visitor = await visit();
    await comparison(visitor);
    await complete(visitor);
    await visitor.reads('No answer. It declined to answer.');

    const failed = visitor.page.locator('.slot[data-state=failed]');
    const slot = (await failed.locator('.letter').textContent())?.at(-1) ?? '';
    await visitor.page.keyboard.press(String('ABCD'.indexOf(slot) + 1));
    const early = await visitor.page.locator('[aria-pressed=true]').count();
    await pick(visitor, 'None of them').click();
    await visitor.reads('You liked none of them.');

    expect(early).toBe(0);
    expect(await failed.locator('.unveiled strong').textContent()).toBe('GPT-4.1');
    expect(await visitor.page.locator('.slot blockquote').count()).toBe(3);
  });

  test('leaves nothing to compare when all of them do', async ({ visit }) => {
    const refusing = [{ kind: 'refusal' }];
    await orderFaults({
      'gpt-4.1': refusing,
      'gpt-4.1-mini': refusing,
      'claude-haiku-4-5': refusing,
      'claude-sonnet-4-5': refusing,
    });
    const visitor = await visit();
    await comparison(visitor);

    await visitor.reads('There are too few answers to compare.', 20_000);

    expect(await pick(visitor, 'It is a tie').isDisabled()).toBe(true);
    await pick(visitor, 'Ask again').click();
    await complete(visitor);
  });
});

describe('a comparison', () => {
  test('goes on while one looks at another view', async ({ visit }) => {
    const visitor = await visit();
    await comparison(visitor);
    await visitor.page.getByRole('link', { name: 'Sayings', exact: true }).click();
    await visitor.page.locator('figure .saying').filter({ hasText: /\w{3}/ }).waitFor();

    await visitor.page.getByRole('link', { name: 'Compare' }).click();

    await complete(visitor);
    expect(await visitor.page.locator('.slot blockquote').count()).toBe(4);
  });

  test('that was made earlier says so, also where it comes as one JSON document', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/compare', 200, { ...WHOLE, replayed: true });
    await comparison(visitor);
    await complete(visitor);

    await visitor.reads(/^The model budget is used up for now: this comparison was made earlier/);

    expect(await card(visitor, 'A').textContent()).toContain(WHOLE.slots[0]?.saying);
  });

  test('that cannot be had says why and when to try again', async ({ visit }) => {
    const visitor = await visit();
    const error = { code: 'comparison_unavailable', message: 'No comparison is available right now.' };
    await visitor.serverAnswers('/compare', 503, { error, requestId: 'abc123' }, { 'Retry-After': '90' });
    await comparison(visitor);

    await visitor.reads(/No comparison is available right now\./);
    await visitor.reads(/Try again in (90|89) seconds\./);
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

    await comparison(visitor);
    await complete(visitor);

    expect(await visitor.page.locator('.slot blockquote').first().textContent()).toBe(hostile);
    expect(await visitor.page.locator('main :is(img, b)').count()).toBe(0);
  });

  test('picked offline is unveiled when one is back', async ({ visit }) => {
    const visitor = await visit();
    await comparison(visitor);
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
  votable: true,
  slots: ['A', 'B', 'C', 'D'].map((slot) => ({ slot, saying: `Lambda is taxi ${slot}.`, error: null })),
};
