/** The browsers on this machine: the Chromium that comes in a package, and the system's own Chromium or Chrome. */

import { existsSync } from 'node:fs';

const USUAL_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export interface BrowserChoice {
  name: string;
  /** The program to start; null for the packaged one, which is not unpacked yet. */
  program: string | null;
}

/** Finds the browsers to test with. The environment's `CHROMIUM` names another program in place of the system's. */
export function findBrowsers(): BrowserChoice[] {
  const system = process.env.CHROMIUM || USUAL_PLACES.find((place) => existsSync(place));
  return [
    // It is built for Linux on x86-64 only.
    ...(process.platform === 'linux' && process.arch === 'x64' ? [{ name: 'packaged', program: null }] : []),
    ...(system ? [{ name: 'system', program: system }] : []),
  ];
}
