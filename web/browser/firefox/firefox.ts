/** Visits to the page in Firefox, each with a profile of its own. */

import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { test as base, expect, inject } from 'vitest';

// An upper bound for a machine with much else to do.
const PATIENCE_MS = 60_000;

/** The preferences of a Firefox that keeps no site data at all. */
export const NO_SITE_DATA = { 'network.cookie.cookieBehavior': 2 };

/** One visitor in a Firefox of their own. */
export class Visit {
  readonly url = inject('url');
  readonly page: Page;
  private readonly browser: Browser;
  private readonly errors: string[] = [];

  constructor(browser: Browser, page: Page) {
    this.browser = browser;
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  async open(address = ''): Promise<void> {
    await this.page.goto(`${this.url}/${address}`);
  }

  /** Press the button with this name, once it can be pressed. */
  async press(name: string): Promise<void> {
    await this.page.locator(`::-p-aria([name="${name}"][role="button"])`).click();
  }

  /** Wait until the visitor can read this somewhere. */
  async reads(text: string): Promise<void> {
    await this.page.waitForFunction((wanted) => document.body.innerText.includes(wanted), {}, text);
  }

  async end(): Promise<void> {
    await this.browser.close();
    expect(this.errors, 'errors in the console').toEqual([]);
  }
}

interface Fixtures {
  visit: (preferences?: Record<string, unknown>) => Promise<Visit>;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from it which fixtures are wanted
  visit: async ({}, use) => {
    const visits: Visit[] = [];
    await use(async (preferences = {}) => {
      const browser = await puppeteer.launch({
        browser: 'firefox',
        executablePath: inject('browser'),
        extraPrefsFirefox: preferences,
      });
      const visit = new Visit(browser, await browser.newPage());
      visits.push(visit);
      return visit;
    });
    for (const visit of visits) await visit.end();
  },
});
