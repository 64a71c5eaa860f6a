import { describe, expect, inject } from 'vitest';
import { DESKTOP, PHONE, SETTINGS, type Setting, test, type Visit } from './visit';

const HEADINGS = {
  Sayings: 'Sayings about the cloud',
  Best: 'The best sayings',
  Compare: 'Which model says it best?',
  Dashboard: 'Which model do people prefer?',
  'About and privacy': 'About and privacy',
};
const OTHER_SIZES: Setting[] = [
  { ...PHONE, name: 'small phone, dark', colorScheme: 'dark', viewport: { width: 320, height: 640 } },
  { ...DESKTOP, name: 'wide screen, light', viewport: { width: 1920, height: 1080 } },
];

async function go(visitor: Visit, name: keyof typeof HEADINGS): Promise<void> {
  await visitor.page.getByRole('link', { name, exact: true }).click();
  await visitor.page.getByRole('heading', { level: 1, name: HEADINGS[name] }).waitFor();
}

/** Wait until the view waits for nothing any more. */
async function settled(visitor: Visit): Promise<void> {
  await expect.poll(() => visitor.page.locator('[aria-busy=true]').count()).toBe(0);
}

describe.each(inject('thorough') ? [...SETTINGS, ...OTHER_SIZES] : SETTINGS)('every view on a $name', (setting) => {
  test('is accessible and fits the screen', async ({ visit }) => {
    const visitor = await visit(setting);
    await visitor.open();
    await settled(visitor);

    for (const name of ['Best', 'Compare', 'Dashboard', 'About and privacy', 'Sayings'] as const) {
      await go(visitor, name);
      await settled(visitor);

      expect(await visitor.barriers()).toEqual([]);
      expect(await visitor.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    }
  });
});

describe('a view', () => {
  test('has an address, a title and a mark in the navigation', async ({ visit }) => {
    const visitor = await visit();

    for (const [address, title, mark] of [
      ['', 'Cloud Sayings', 'Sayings'],
      ['#/compare', 'Compare · Cloud Sayings', 'Compare'],
      ['#/dashboard', 'Dashboard · Cloud Sayings', 'Dashboard'],
      ['#/nowhere', 'Cloud Sayings', 'Sayings'],
    ]) {
      await visitor.open(address);

      await expect.poll(() => visitor.page.title()).toBe(title);
      expect(await visitor.page.locator('nav [aria-current=page]').allTextContents()).toEqual([mark]);
    }
  });

  test('begins at its top after another view', async ({ visit }) => {
    const visitor = await visit(PHONE);
    await visitor.open();
    await settled(visitor);
    await visitor.page.evaluate(() => scrollTo(0, 400));

    await go(visitor, 'Compare');

    const place = () => visitor.page.evaluate(() => [scrollY, document.activeElement?.tagName]);
    await expect.poll(place).toEqual([0, 'MAIN']);
  });

  test('that cannot be loaded says so', async ({ visit }) => {
    const visitor = await visit();
    await visitor.open();
    await settled(visitor);

    await visitor.goOffline();
    await visitor.page.getByRole('link', { name: 'Compare' }).click();

    await visitor.reads(/^This view could not be loaded\./);
  });
});

test('the plots are loaded by the dashboard alone', async ({ visit }) => {
  const visitor = await visit();
  const scripts: string[] = [];
  visitor.page.on('request', (request) => {
    if (request.resourceType() === 'script') scripts.push(new URL(request.url()).pathname);
  });
  await visitor.open();
  await settled(visitor);
  await go(visitor, 'Compare');
  const before = scripts.filter((path) => path.includes('Dashboard'));

  await go(visitor, 'Dashboard');

  expect(before).toEqual([]);
  expect(scripts.some((path) => path.includes('Dashboard'))).toBe(true);
});
