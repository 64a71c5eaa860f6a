/** A visitor's report of a saying: the reasons to choose from, and what became of it in words. */

import { Trouble } from '../api/client';
import type { ReportAnswer, ReportReason } from '../api/types';

export const REASONS: { reason: ReportReason; words: string }[] = [
  { reason: 'offensive', words: 'It is offensive' },
  { reason: 'personal', words: 'It is about a person' },
  { reason: 'wrong', words: 'It is wrong' },
  { reason: 'other', words: 'Something else' },
];

const TAKEN_DOWN = 'It was taken down already. It will not be shown again.';

/** Says what became of a report. */
export function reportNews({ status }: Pick<ReportAnswer, 'status'>): string {
  return status === 'recorded'
    ? 'Thank you. Somebody will look at this saying.'
    : 'This saying has been reported from here before. Once is enough.';
}

/** Sends a report and says what became of it. Throws Trouble when it could not be stored. */
export async function report(send: () => Promise<ReportAnswer>): Promise<string> {
  try {
    return reportNews(await send());
  } catch (error) {
    if (error instanceof Trouble && error.code === 'saying_withdrawn') return TAKEN_DOWN;
    throw error;
  }
}
