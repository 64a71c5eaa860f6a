/** The views and their addresses, which follow the # because the paths before it belong to the API. */

import { Store } from './shared/store';

export const VIEWS = ['sayings', 'compare', 'dashboard', 'about'] as const;
export type View = (typeof VIEWS)[number];

export function viewOf(hash: string): View {
  const name = hash.replace(/^#\/?/, '');
  return VIEWS.find((view) => view === name) ?? 'sayings';
}

export function addressOf(view: View): string {
  return view === 'sayings' ? '#/' : `#/${view}`;
}

export const currentView = new Store<View>('sayings');

export function followAddress(): void {
  const read = () => {
    currentView.value = viewOf(location.hash);
  };
  addEventListener('hashchange', read);
  read();
}
