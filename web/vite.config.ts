import { defineConfig } from 'vite';

const API = process.env.API ?? 'http://localhost:8080';
const ROUTES = ['/sayings', '/feedback', '/compare', '/stats', '/models', '/health', '/openapi.json'];

export default defineConfig({
  build: {
    // The server's Content-Security-Policy knows no data: addresses and no inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Only the dashboard's plots are large, and nobody loads them elsewhere.
    chunkSizeWarningLimit: 400,
  },
  // `npm run dev` beside a server that runs: the page reloads by itself, the API is the real one.
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, API])) },
});
