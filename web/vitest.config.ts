import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { type BrowserChoice, findChromiums, findOtherEngines } from './browser/browsers.ts';

const IN_BROWSERS = {
  globalSetup: 'browser/setup.ts',
  // Upper bounds for a busy machine. Tests wait for conditions, so that they are no slower on a fast one.
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000 } },
  // The tests share one server and two cores and would only wait for each other.
  fileParallelism: false,
};

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'logic', include: ['src/**/*.test.ts'] } },
      ...findChromiums().map(chromiumProject),
      ...findOtherEngines().map(otherProject),
    ],
  },
});

/** Every flow runs in every Chromium; in the first one in all settings, and there Lighthouse judges the page as well. */
function chromiumProject({ name, program }: BrowserChoice, index: number): TestProjectConfiguration {
  const thorough = index === 0;
  return {
    test: {
      ...IN_BROWSERS,
      name: `browser ${name}`,
      include: ['browser/*.test.ts'],
      exclude: thorough ? [] : ['**/lighthouse.test.ts'],
      provide: { program, thorough },
    },
  };
}

/** The main flows in the other engines, which are driven by other protocols. */
function otherProject({ name, program }: BrowserChoice): TestProjectConfiguration {
  const provide = { program, engine: name, thorough: false };
  return { test: { ...IN_BROWSERS, name: `browser ${name}`, include: ['browser/engines/*.test.ts'], provide } };
}
