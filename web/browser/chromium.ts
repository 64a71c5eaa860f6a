/** The browser: the system's Chromium or Chrome, or the one that comes in a package for Linux on x86-64. */

import { existsSync } from 'node:fs';
import packaged from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const USUAL_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
// It runs as root in containers, without a graphics card, and calls nobody.
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
];

export async function launch(...more: string[]): Promise<Browser> {
  const found = process.env.CHROMIUM || USUAL_PLACES.find((place) => existsSync(place));
  const executablePath = found ?? (await packaged.executablePath());
  return chromium.launch({ executablePath, args: [...ARGUMENTS, ...more] });
}
