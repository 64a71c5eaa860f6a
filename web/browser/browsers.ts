/** The browsers on this machine: the Chromium that comes in a package, the system's own Chromium or Chrome, Firefox, WebKit. */

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
// Debian's packages webkit2gtk-driver and xvfb.
const PLACE_OF_WEBKIT = `/usr/lib/${{ x64: 'x86_64', arm64: 'aarch64' }[process.arch as string]}-linux-gnu/webkit2gtk-4.1/MiniBrowser`;
const NEEDED_BY_WEBKIT = [PLACE_OF_WEBKIT, '/usr/bin/WebKitWebDriver', '/usr/bin/xvfb-run'];

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

/** Finds the system's Firefox and WebKit. The environment's `FIREFOX` names another program in place of the system's. */
export function findOtherEngines(): BrowserChoice[] {
  const firefox = process.env.FIREFOX || PLACES_OF_FIREFOX.find((place) => existsSync(place));
  return [
    ...(firefox ? [{ name: 'firefox', program: firefox }] : []),
    ...(NEEDED_BY_WEBKIT.every((place) => existsSync(place)) ? [{ name: 'webkit', program: PLACE_OF_WEBKIT }] : []),
  ];
}
