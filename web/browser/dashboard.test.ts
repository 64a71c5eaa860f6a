import { describe, expect } from 'vitest';
import { empty, full } from '../src/dashboard/fixtures';
import { SETTINGS, test } from './visit';

describe.each(SETTINGS)('the dashboard on a $name', (setting) => {
  test('shows the last days first, and all time on request', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.serverAnswers('/stats', 200, full());
    await visitor.open('dashboard');
    await visitor.reads(/^Claude Sonnet\s4\.5 leads: 74\s% .+ of blind votes are thumbs up$/);
    await visitor.page.getByRole('table', { name: 'All models in the last 30 days' }).waitFor();

    await visitor.page.getByRole('button', { name: 'All time' }).click();

    await visitor.page.getByRole('table', { name: 'All models of all time' }).waitFor();
    await visitor.reads('298 voters, 149 sayings');
    expect(await visitor.barriers()).toEqual([]);
  });

  test('without votes says what is missing', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.serverAnswers('/stats', 200, empty());

    await visitor.open('dashboard');

    await visitor.reads('No blind votes yet');
    await visitor.reads('No comparison has been judged yet.');
    await visitor.reads('No week has enough votes on a model yet.');
    expect(await visitor.barriers()).toEqual([]);
  });
});

describe('a plot of the dashboard', () => {
  test('tells its values to the pointer and to the keyboard', async ({ visit }) => {
    const visitor = await visit();
    await visitor.serverAnswers('/stats', 200, full());
    await visitor.open('dashboard');
    const plots = visitor.page.getByRole('group', { name: /^Plot;/ });
    const price = visitor.page.locator('#price');
    const first = price.locator('[data-tip]').first();
    await first.hover();
    await visitor.reads(/^GPT-4\.1-mini: 61\s% .+ approval at \$0\.15 per 1,000$/);

    await price.getByRole('group').press('ArrowRight');
    await visitor.reads(/^Claude Haiku 4\.5: 66\s%/);
    const barriers = await visitor.barriers();
    await price.getByRole('group').press('Escape');

    expect(barriers).toEqual([]);
    expect(await price.getByRole('status').textContent()).toBe('');
    for (const plot of await plots.all()) expect(await plot.locator('[data-tip]').count()).toBeGreaterThan(0);
  });
});

test('what a plot shows is there as a table, too', async ({ visit }) => {
  const visitor = await visit();
  await visitor.serverAnswers('/stats', 200, full());
  await visitor.open('dashboard');

  await visitor.page
    .locator('#price')
    .getByRole('button', { name: /^Show table/ })
    .click();

  await visitor.page.getByRole('table', { name: 'Price and approval by model in the last 30 days' }).waitFor();
});
