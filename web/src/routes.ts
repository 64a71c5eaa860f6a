/** The views, their addresses, and the way from one to the other without loading the page again. */

import { Store } from './shared/store';

export const VIEWS = ['sayings', 'best', 'arena', 'dashboard', 'about'] as const;
export type View = (typeof VIEWS)[number];

/** Where the visitor is: in a view, at one saying, or at an address that leads nowhere. */
export type Place = { view: View; query: string } | { view: 'saying'; id: string } | { view: 'nowhere' };

const PATHS: Record<View, string> = {
  sayings: '/',
  best: '/best',
  arena: '/arena',
  dashboard: '/dashboard',
  about: '/about',
};
const SAYING = /^\/s\/([0-9a-f]{32})$/;
// Addresses that led to a view before views had paths of their own.
const FORMER: Record<string, View> = {
  '#/compare': 'arena',
  '#compare': 'arena',
  '#/dashboard': 'dashboard',
  '#dashboard': 'dashboard',
  '#/about': 'about',
  '#about': 'about',
};

export function addressOf(view: View): string {
  return PATHS[view];
}

/** The address of one saying, which can be sent to others. */
export function addressOfSaying(id: string): string {
  return `/s/${id}`;
}

export function placeOf({ pathname, search, hash }: Pick<Location, 'pathname' | 'search' | 'hash'>): Place {
  const path = pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname;
  const former = path === '/' ? FORMER[hash] : undefined;
  if (former) return { view: former, query: '' };
  const id = SAYING.exec(path)?.[1];
  if (id) return { view: 'saying', id };
  const view = VIEWS.find((each) => PATHS[each] === path);
  return view ? { view, query: search } : { view: 'nowhere' };
}

export const currentPlace = new Store<Place>({ view: 'sayings', query: '' });

/** Goes to another address of the page. */
export function visit(address: string): void {
  history.pushState(null, '', address);
  currentPlace.value = placeOf(location);
}

/** Follows Back, Forward, and clicks on links to the page's own addresses. */
export function followAddress(): void {
  addEventListener('popstate', () => {
    currentPlace.value = placeOf(location);
  });
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || !isOurs(event, link)) return;
    event.preventDefault();
    visit(link.href);
  });
  currentPlace.value = placeOf(location);
  if (location.pathname === '/' && location.hash in FORMER) {
    history.replaceState(null, '', addressOf(FORMER[location.hash] as View));
  }
}

/** Whether a click on the link stays on the page and asks for another address than this one's parts. */
function isOurs(event: MouseEvent, link: HTMLAnchorElement): boolean {
  if (event.defaultPrevented || event.button !== 0) return false;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return false;
  if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return false;
  const isPart = link.hash !== '' && link.pathname === location.pathname && link.search === location.search;
  return !isPart && placeOf(link).view !== 'nowhere';
}
