import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { type BrowserChoice, findBrowsers } from './browser/browsers.ts';

export default defineConfig({
  test: {
    projects: [{ test: { name: 'logic', include: ['src/**/*.test.ts'] } }, ...findBrowsers().map(browserProject)],
  },
});

/** Every flow runs in every browser; in the first one in all settings, and there Lighthouse judges the page as well. */
function browserProject({ name, program }: BrowserChoice, index: number): TestProjectConfiguration {
  const thorough = index === 0;
  return {
    test: {
      name: `browser ${name}`,
      include: ['browser/**/*.test.ts'],
      exclude: thorough ? [] : ['**/lighthouse.test.ts'],
      globalSetup: 'browser/setup.ts',
      provide: { program, thorough },
      // Upper bounds for a busy machine. Tests wait for conditions, so that they are no slower on a fast one.
      testTimeout: 180_000,
      hookTimeout: 180_000,
      expect: { poll: { timeout: 60_000 } },
      // The tests share one server and two cores and would only wait for each other.
      fileParallelism: false,
    },
  };
}
