/** Drives Firefox over WebDriver BiDi, which it speaks by itself. */

import puppeteer from 'puppeteer-core';
import { expect, inject } from 'vitest';
import type { Choice, Driver } from './visit';

export async function openFirefox({ keepsNothing = false }: Choice): Promise<Driver> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: inject('browser'),
    extraPrefsFirefox: keepsNothing ? { 'network.cookie.cookieBehavior': 2 } : {},
  });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  return {
    goto: async (address) => {
      await page.goto(address);
    },
    run: (work, ...given) => page.evaluate(`(${work}).apply(null, ${JSON.stringify(given)})`) as never,
    close: async () => {
      await browser.close();
      expect(errors, 'errors in the console').toEqual([]);
    },
  };
}
