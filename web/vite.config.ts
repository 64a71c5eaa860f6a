import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

const API = process.env.API ?? 'http://localhost:8080';
const ROUTES = ['/s/', '/sayings', '/feedback', '/me', '/compare', '/stats', '/models', '/health', '/openapi.json'];

/** Adds the font's licence, because Vite collects those of scripts only. */
function fontLicence(): Plugin {
  const text = new URL('node_modules/@fontsource/alegreya/LICENSE', import.meta.url);
  return {
    name: 'font-licence',
    apply: 'build',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'licence-of-the-font.txt', source: readFileSync(text) });
    },
  };
}

export default defineConfig({
  plugins: [fontLicence()],
  build: {
    // The oldest browsers that the page is made for. What is newer than them is tried before it is relied on.
    target: ['safari16.4', 'firefox115', 'chrome111'],
    // The server's Content-Security-Policy forbids data: addresses and inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Only the dashboard's plots are large, and no other view loads them.
    chunkSizeWarningLimit: 400,
    // The licences of the bundled packages ask that their texts go wherever the code goes.
    license: { fileName: 'licences.txt' },
  },
  // `npm run dev` needs a running server: it reloads the page by itself and passes requests on to the real API.
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, API])) },
});
