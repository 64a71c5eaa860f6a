import { describe, expect } from 'vitest';
import { empty, full } from '../src/dashboard/fixtures';
import { SETTINGS, test } from './visit';

describe.each(SETTINGS)('the dashboard on a $name', (setting) => {
  test('shows the last days first, and all time on request', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.serverAnswers('/stats', 200, full());
    await visitor.open('#/dashboard');
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

    await visitor.open('#/dashboard');

    await visitor.reads('No blind votes yet');
    await visitor.reads('No comparison has been voted on.');
    await visitor.reads('No week has enough votes on a model yet.');
    expect(await visitor.barriers()).toEqual([]);
  });
});
