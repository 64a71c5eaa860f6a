/** Visits to the page in Firefox and in WebKit: the few steps that both can be asked for in the same way. */

import { test as base, expect, inject } from 'vitest';
import { openFirefox } from './firefox';
import { openWebKit } from './webkit';

/** A browser with a profile of its own and one window. */
export interface Driver {
  goto: (address: string) => Promise<void>;
  /** Runs a function in the page, with arguments that JSON can carry, and returns what it returns. */
  run: <Result, Arguments extends unknown[]>(
    work: (...given: Arguments) => Result,
    ...given: Arguments
  ) => Promise<Awaited<Result>>;
  close: () => Promise<void>;
}

export interface Choice {
  /** Whether the browser is to keep no cookies and no other data of sites. */
  keepsNothing?: boolean;
}

/** One visitor in a browser of their own. */
export class Visit {
  readonly driver: Driver;

  constructor(driver: Driver) {
    this.driver = driver;
  }

  async open(address = ''): Promise<void> {
    await this.driver.goto(`${inject('url')}/${address}`);
  }

  /** Press the button or link that has this in its name, once there is one that can be pressed. */
  async press(name: string): Promise<void> {
    await expect.poll(() => this.driver.run(pressNamed, name), { message: name }).toBe(true);
  }

  /** Wait until the visitor can read this somewhere. */
  async reads(text: string): Promise<void> {
    await expect.poll(() => this.text(), { message: text }).toContain(text);
  }

  text(): Promise<string> {
    return this.driver.run(() => document.body.innerText.replaceAll('\u00a0', ' '));
  }

  /** The text of the first element that fits the selector, once it has some. */
  async textOf(selector: string): Promise<string> {
    let found = '';
    await expect
      .poll(
        async () => {
          found = await this.driver.run((wanted) => document.querySelector(wanted)?.textContent ?? '', selector);
          return found;
        },
        { message: selector },
      )
      .not.toBe('');
    return found;
  }
}

/** In the page: presses what has this in its name; false when there is no such thing yet. */
function pressNamed(name: string): boolean {
  const named = (element: Element) => {
    const image = element.querySelector('[role=img]')?.getAttribute('aria-label');
    return (element.getAttribute('aria-label') ?? image ?? element.textContent)?.includes(name);
  };
  const found = [...document.querySelectorAll<HTMLElement>('button:enabled, a[href]')].find(named);
  found?.click();
  return found !== undefined;
}

interface Fixtures {
  visit: (choice?: Choice) => Promise<Visit>;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from it which fixtures are wanted
  visit: async ({}, use) => {
    const drivers: Driver[] = [];
    await use(async (choice = {}) => {
      const driver = await (inject('engine') === 'firefox' ? openFirefox(choice) : openWebKit(choice));
      drivers.push(driver);
      return new Visit(driver);
    });
    for (const driver of drivers) await driver.close();
  },
});
