/** Starts the browser of the project that runs. */

import { type Browser, chromium } from 'playwright-core';
import { inject } from 'vitest';

// It runs as root in containers, without a graphics card, and calls no server of its maker.
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
];

export function launch(...more: string[]): Promise<Browser> {
  return chromium.launch({ executablePath: inject('browser'), args: [...ARGUMENTS, ...more] });
}
