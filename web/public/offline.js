/* A service worker: it keeps the page's own files, so that the page opens without a connection. It keeps nothing else. */

const KEPT = 'page';

addEventListener('install', (event) => {
  event.waitUntil(keepPage().then(() => skipWaiting()));
});

addEventListener('activate', (event) => {
  event.waitUntil(clients.claim());
});

addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  if (request.mode === 'navigate') event.respondWith(navigate(event).catch(() => kept('/')));
  else if (pathname.startsWith('/assets/')) event.respondWith(asset(request));
  else if (pathname === '/favicon.svg') event.respondWith(fetch(request).catch(() => kept(pathname)));
});

/** The page from the server, which is kept in place of the earlier one when there is a new version. */
async function navigate(event) {
  const response = await fetch(event.request);
  const before = await caches.match('/');
  const isNew = response.headers.get('ETag') !== before?.headers.get('ETag');
  if (new URL(event.request.url).pathname === '/' && response.ok && isNew) event.waitUntil(keepPage());
  return response;
}

/** Keeps the page and the files that it names, and no file of an earlier version. */
async function keepPage() {
  const response = await fetch('/', { cache: 'no-cache' });
  if (!response.ok) throw new Error(`The page answered ${response.status}.`);
  const html = await response.clone().text();
  await caches.delete(KEPT);
  const cache = await caches.open(KEPT);
  await cache.put('/', response);
  await cache.addAll(['/favicon.svg', ...(html.match(/\/assets\/[^"]+/g) ?? [])]);
}

/** An asset never changes, because its name has a digest of its content. */
async function asset(request) {
  const found = await caches.match(request);
  if (found) return found;
  const response = await fetch(request);
  if (response.ok) {
    const cache = await caches.open(KEPT);
    await cache.put(request, response.clone());
  }
  return response;
}

async function kept(path) {
  return (await caches.match(path)) ?? Response.error();
}
