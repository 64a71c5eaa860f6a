/** Makes the server and this page forget the visitor. */

import type { ForgottenAnswer } from '../api/types';
import { day } from '../shared/words';

export interface Memory {
  /** Votes that wait to be sent. They go first, because one that is sent later would begin a new voter. */
  outbox: { discard: () => Promise<void> };
  /** What the page shows of the visitor's votes. */
  shown: readonly { forget: () => void }[];
  ask: () => Promise<ForgottenAnswer>;
}

/** Returns the server's answer. Throws Trouble when the server could not do it; then only the outbox is empty. */
export async function forget({ outbox, shown, ask }: Memory): Promise<ForgottenAnswer> {
  await outbox.discard();
  const answer = await ask();
  for (const part of shown) part.forget();
  return answer;
}

/** What has become of the request. */
export function outcome({ status, forgottenBefore }: ForgottenAnswer): string {
  if (status === 'forgotten') return 'Done. Nothing of you is stored here any more.';
  return `Your request is stored, and your cookie is gone. Everything else will be gone by ${day(forgottenBefore)}.`;
}
