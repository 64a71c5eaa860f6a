/** The page's one comparison, connected to the server, the outbox and the browser's memory of this tab. */

import { fetchJson } from '../api/client';
import type { ComparisonView } from '../api/types';
import { forThisTab } from '../shared/storage';
import { outbox } from '../votes/post';
import { askForComparison } from './ask';
import { Sessions } from './session';

const recall = (id: string, signal: AbortSignal) =>
  fetchJson<ComparisonView>(`/compare/${encodeURIComponent(id)}`, { signal });

export const sessions = new Sessions({ ask: askForComparison, recall }, outbox, forThisTab);
