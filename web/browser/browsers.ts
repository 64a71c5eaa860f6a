/** The browsers on this machine: the Chromium that comes in a package, the system's own Chromium or Chrome, and Firefox. */

import { existsSync } from 'node:fs';

const PLACES_OF_CHROMIUM = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const PLACES_OF_FIREFOX = [
  '/usr/bin/firefox-esr',
  '/usr/bin/firefox',
  '/Applications/Firefox.app/Contents/MacOS/firefox',
];

export interface BrowserChoice {
  name: string;
  /** The program to start; null for the packaged one, which is not unpacked yet. */
  program: string | null;
}

/** Finds the Chromiums to test with. The environment's `CHROMIUM` names another program in place of the system's. */
export function findChromiums(): BrowserChoice[] {
  const system = process.env.CHROMIUM || PLACES_OF_CHROMIUM.find((place) => existsSync(place));
  return [
    // It is built for Linux on x86-64 only.
    ...(process.platform === 'linux' && process.arch === 'x64' ? [{ name: 'packaged', program: null }] : []),
    ...(system ? [{ name: 'system', program: system }] : []),
  ];
}

/** The system's Firefox, or the program that the environment's `FIREFOX` names. */
export function findFirefox(): string | undefined {
  return process.env.FIREFOX || PLACES_OF_FIREFOX.find((place) => existsSync(place));
}
