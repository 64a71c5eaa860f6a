/** Registers the service worker that opens the page without a connection, once the page has nothing else to do. */

import { keepsCookies } from './cookies';

export function keepPageForOffline(): void {
  // Where site data is blocked there is no worker either, and browsers write an error to the console.
  if (!keepsCookies) return;
  addEventListener('load', () => {
    // It does not exist without HTTPS, and some private windows refuse it: then the page needs a connection to open.
    navigator.serviceWorker?.register('/offline.js').catch(() => undefined);
  });
}
