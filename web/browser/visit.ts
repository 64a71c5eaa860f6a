/** Visits to the page: on a phone and a desktop, light and dark; each ends with a look at what must never happen. */

import axe, { type AxeResults } from 'axe-core';
import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { test as base, expect, inject } from 'vitest';
import { launch } from './chromium';

export interface Setting {
  name: string;
  colorScheme: 'light' | 'dark';
  viewport: { width: number; height: number };
  hasTouch: boolean;
}

export const PHONE: Setting = {
  name: 'phone, light',
  colorScheme: 'light',
  viewport: { width: 390, height: 844 },
  hasTouch: true,
};
export const DESKTOP: Setting = {
  name: 'desktop, light',
  colorScheme: 'light',
  viewport: { width: 1280, height: 800 },
  hasTouch: false,
};
export const SETTINGS: Setting[] = [
  PHONE,
  { ...PHONE, name: 'phone, dark', colorScheme: 'dark' },
  DESKTOP,
  { ...DESKTOP, name: 'desktop, dark', colorScheme: 'dark' },
];

declare global {
  interface Window {
    layoutShifts: string[];
    axe: typeof axe;
  }
}

/** One visitor in a browser of their own. */
export class Visit {
  readonly url = inject('url');
  readonly page: Page;
  private readonly context: BrowserContext;
  private readonly errors: string[] = [];
  private readonly foreign: string[] = [];
  private failuresExpected = false;

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${this.url}/`)) this.foreign.push(request.url());
    });
  }

  async open(address = ''): Promise<void> {
    await this.page.goto(`${this.url}/${address}`);
  }

  /** Have the server answer a path so from now on. Chromium notes every error status in its console. */
  async serverAnswers(path: string, status: number, body: unknown, headers: Record<string, string> = {}) {
    this.failuresExpected ||= status >= 400;
    const json = { status, json: body, headers };
    await this.page.route(`${this.url}${path}`, (route: Route) => route.fulfill(json));
  }

  /** The server as it is again. */
  async serverRecovers(): Promise<void> {
    await this.page.unrouteAll();
  }

  async goOffline(offline = true): Promise<void> {
    this.failuresExpected = true;
    await this.context.setOffline(offline);
  }

  /** What a visitor sees in the line of news. */
  async reads(text: string | RegExp, timeout = 10_000): Promise<void> {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor({ timeout });
  }

  /** What has moved that stood somewhere already. */
  layoutShifts(): Promise<string[]> {
    return this.page.evaluate(() => window.layoutShifts);
  }

  /** What is hard to use for somebody, by the rules that a program can check. */
  async barriers(): Promise<string[]> {
    // As the browser's debugger does it, past the page's own policy.
    await this.page.evaluate(axe.source);
    const found: AxeResults = await this.page.evaluate(() => window.axe.run());
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
    );
  }

  async end(): Promise<void> {
    const fits = await this.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    await this.context.close();
    const errors = this.errors.filter((text) => !this.failuresExpected || !text.startsWith('Failed to load resource'));
    expect(errors, 'errors in the console').toEqual([]);
    expect(this.foreign, 'requests to somebody else').toEqual([]);
    expect(fits, 'nothing is wider than the screen').toBe(true);
  }
}

interface Visits {
  browser: Browser;
  visit: (setting?: Setting, options?: { reducedMotion?: 'reduce' }) => Promise<Visit>;
}

export const test = base.extend<Visits>({
  browser: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads from it which fixtures are wanted
    async ({}, use) => {
      const browser = await launch();
      await use(browser);
      await browser.close();
    },
    { scope: 'file' },
  ],
  visit: async ({ browser }, use) => {
    const visits: Visit[] = [];
    await use(async (setting = DESKTOP, options = {}) => {
      const { name: _, ...device } = setting;
      const context = await browser.newContext({ ...device, ...options });
      await context.addInitScript(watchLayout);
      const visit = new Visit(context, await context.newPage());
      visits.push(visit);
      return visit;
    });
    for (const visit of visits) await visit.end();
  },
});

interface LayoutShift extends PerformanceEntry {
  sources: { node: Node | null; previousRect: DOMRectReadOnly; currentRect: DOMRectReadOnly }[];
}

function watchLayout() {
  window.layoutShifts = [];
  const place = ({ x, y }: DOMRectReadOnly) => `${Math.round(x)},${Math.round(y)}`;
  new PerformanceObserver((list) => {
    for (const { sources } of list.getEntries() as LayoutShift[]) {
      for (const { node, previousRect, currentRect } of sources) {
        const what = node instanceof Element ? node.outerHTML : node?.textContent;
        window.layoutShifts.push(`${place(previousRect)} → ${place(currentRect)}: ${what}`);
      }
    }
  }).observe({ type: 'layout-shift', buffered: true });
}

/** Order faults of the simulated models: `{"gpt-4.1": [{"kind": "refusal"}]}`. */
export async function orderFaults(faults: Record<string, { kind: string; count?: number | null }[]>): Promise<void> {
  const answer = await fetch(`${inject('simulator')}/faults`, { method: 'PUT', body: JSON.stringify(faults) });
  expect(answer.status).toBe(200);
}
