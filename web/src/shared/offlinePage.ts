/** Registers the service worker that opens the page without a connection, once the page has nothing else to do. */
export function keepPageForOffline(): void {
  addEventListener('load', () => {
    // It is not there without HTTPS, and refused in a private window or where site data is blocked: then there is none.
    navigator.serviceWorker?.register('/offline.js').catch(() => undefined);
  });
}
