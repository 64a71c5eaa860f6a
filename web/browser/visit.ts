/** Visits to the page on different screens, in light and dark. Each ends with a check of what must never happen. */

import axe, { type AxeResults } from 'axe-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page, Route } from 'playwright-core';
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
const DARK_DESKTOP: Setting = { ...DESKTOP, name: 'desktop, dark', colorScheme: 'dark' };

/**
 * What depends on the screen or on the colours runs in each of these. Places depend on the one and contrast on the
 * other, so that not every combination is needed. A second browser costs as much again and gets one.
 */
export const SETTINGS = inject('thorough') ? [PHONE, DARK_DESKTOP] : [PHONE];

// An upper bound for a machine with much else to do.
const PATIENCE_MS = 60_000;

declare global {
  interface Window {
    layoutShifts: string[];
    releaseAnswers: () => void;
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
      if (isNoEarlierComparison(message.text(), message.location().url)) return;
      if (['error', 'warning'].includes(message.type()))
        this.errors.push(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${this.url}/`)) this.foreign.push(request.url());
    });
  }

  /** Another tab of the same browser. It is closed with the first one. */
  async anotherTab(): Promise<Page> {
    return this.context.newPage();
  }

  async open(address = ''): Promise<void> {
    await this.page.goto(`${this.url}/${address}`);
  }

  /** From now on the server answers a path like this. Chromium logs every error status to its console. */
  async serverAnswers(path: string, status: number, body: unknown, headers: Record<string, string> = {}) {
    this.failuresExpected ||= status >= 400;
    const json = { status, json: body, headers };
    await this.page.route(isAt(path), (route: Route) => route.fulfill(json));
  }

  /** From now on the server does not answer a path at all. */
  async serverHangs(path: string): Promise<void> {
    await this.page.route(isAt(path), () => undefined);
  }

  /** The server answers as it does by itself again. */
  async serverRecovers(): Promise<void> {
    await this.page.unrouteAll();
  }

  /** Comparisons have no answers until `releaseAnswers` is called. Takes effect when the page is opened. */
  async holdAnswers(): Promise<void> {
    await this.page.addInitScript(holdAnswers);
  }

  async releaseAnswers(): Promise<void> {
    await this.page.evaluate(() => window.releaseAnswers());
  }

  async goOffline(offline = true): Promise<void> {
    this.failuresExpected = true;
    await this.context.setOffline(offline);
  }

  /** Wait until the visitor can read this somewhere. */
  async reads(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor();
  }

  /** What has moved after it was drawn once. Two frames on, the browser has reported what it has drawn until now. */
  layoutShifts(): Promise<string[]> {
    return this.page.evaluate(async () => {
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      return window.layoutShifts;
    });
  }

  /** Barriers for people with disabilities, by the rules that a program can check. */
  async barriers(): Promise<string[]> {
    // Evaluated through the debugger, because the page's policy forbids inline scripts.
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
    expect(this.foreign, 'requests to other servers').toEqual([]);
    expect(fits, 'nothing is wider than the screen').toBe(true);
  }
}

/** The arena asks for an earlier comparison by itself, and Chromium logs that there is none. */
function isNoEarlierComparison(text: string, address: string): boolean {
  return text.includes('404') && address.endsWith('/compare');
}

/** Whether an address has this path, whatever it asks for. */
export function isAt(path: string): (url: URL) => boolean {
  return ({ pathname }) => pathname === path;
}

type Faults = Record<string, { kind: string }>;

interface Fixtures {
  browser: Browser;
  /** `worker`: whether the page may have its service worker, which hides requests from `serverAnswers`. */
  visit: (setting?: Setting, options?: BrowserContextOptions & { worker?: boolean }) => Promise<Visit>;
  /** Orders one fault for each of these models, for all their calls until it is called again or the test is over. */
  orderFaults: (faults: Faults) => Promise<void>;
}

export const test = base.extend<Fixtures>({
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
    await use(async (setting = DESKTOP, { worker = false, ...options } = {}) => {
      const { name: _, ...device } = setting;
      const context = await browser.newContext({ ...device, ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      await context.addInitScript(watchLayout);
      if (!worker) await context.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'serviceWorker'));
      const visit = new Visit(context, await context.newPage());
      visits.push(visit);
      return visit;
    });
    for (const visit of visits) await visit.end();
  },
  // biome-ignore lint/correctness/noEmptyPattern: as above
  orderFaults: async ({}, use) => {
    await use(putFaults);
    await putFaults({});
  },
});

interface LayoutShift extends PerformanceEntry {
  sources: { node: Node | null; previousRect: DOMRectReadOnly; currentRect: DOMRectReadOnly }[];
}

/** In the page: collects what moves. */
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

/** In the page: reads a new comparison's whole stream, and passes on what comes before the answers. */
function holdAnswers() {
  const { fetch } = window;
  window.fetch = async (address, request) => {
    const response = await fetch(address, request);
    if (address !== '/compare' || String(request?.body).includes('stored')) return response;
    const text = await response.text();
    const cut = text.indexOf('event: slots');
    const body = new ReadableStream<string>({
      start(controller) {
        controller.enqueue(text.slice(0, cut));
        window.releaseAnswers = () => {
          controller.enqueue(text.slice(cut));
          controller.close();
        };
      },
    });
    return new Response(body.pipeThrough(new TextEncoderStream()), response);
  };
}

async function putFaults(faults: Faults): Promise<void> {
  const queues = Object.entries(faults).map(([model, { kind }]) => [model, [{ kind, count: null }]]);
  const body = JSON.stringify(Object.fromEntries(queues));
  const answer = await fetch(`${inject('simulator')}/faults`, { method: 'PUT', body });
  expect(answer.status).toBe(200);
}
