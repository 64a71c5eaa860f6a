/** The page's one comparison, connected to the server, the outbox and the browser's memory. */

import { fetchJson } from '../api/client';
import type { ComparisonView } from '../api/types';
import { forGood, forThisTab } from '../shared/storage';
import { outbox } from '../votes/post';
import { askForComparison } from './ask';
import { Sessions } from './session';

const recall = (id: string, signal: AbortSignal) =>
  fetchJson<ComparisonView>(`/compare/${encodeURIComponent(id)}`, { signal });

export const sessions = new Sessions({ ask: askForComparison, recall }, outbox, {
  shared: forGood,
  tab: forThisTab,
});

// Another tab has written something: the id of a comparison, or what became of a pick that waited.
addEventListener('storage', () => void sessions.catchUp());
