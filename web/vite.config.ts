import { defineConfig } from 'vite';

const API = process.env.API ?? 'http://localhost:8080';
const ROUTES = ['/sayings', '/feedback', '/me', '/compare', '/stats', '/models', '/health', '/openapi.json'];

export default defineConfig({
  build: {
    // The server's Content-Security-Policy forbids data: addresses and inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Only the dashboard's plots are large, and no other view loads them.
    chunkSizeWarningLimit: 400,
  },
  // `npm run dev` needs a running server: it reloads the page by itself and passes requests on to the real API.
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, API])) },
});
