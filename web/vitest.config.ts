import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'logic', include: ['src/**/*.test.ts'] } },
      {
        test: {
          name: 'browser',
          include: ['browser/**/*.test.ts'],
          globalSetup: 'browser/server.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // One browser, one server, two cores: side by side they would only wait for each other.
          fileParallelism: false,
        },
      },
    ],
  },
});
