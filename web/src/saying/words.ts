/** What the page of one saying says in its title, and when there is no such saying. */

import type { Trouble } from '../api/client';

const LONGEST_TITLE = 60;

/** The beginning of a saying, cut between two words, and the name of the page. */
export function titleOf(saying: string): string {
  if (saying.length <= LONGEST_TITLE) return `${saying} · Cloud Sayings`;
  const cut = saying.slice(0, LONGEST_TITLE + 1).replace(/\s*\S*$/, '') || saying.slice(0, LONGEST_TITLE);
  return `${cut}… · Cloud Sayings`;
}

/** Why there is nothing to show and nothing to try again; null for other troubles. */
export function absence({ status, code }: Pick<Trouble, 'status' | 'code'>): { heading: string; text: string } | null {
  if (code === 'saying_withdrawn')
    return {
      heading: 'This saying was taken down',
      text: 'Somebody reported it, and whoever looked agreed. Most of the others are better behaved.',
    };
  if (status === 404 || status === 400)
    return {
      heading: 'There is no such saying here',
      text: 'Perhaps a letter of the address is missing. Or it is being compared right now, and nobody may know yet who wrote it.',
    };
  return null;
}
