/** Guessing who wrote a saying, before the vote tells. */

import type { ModelsAnswer } from '../api/types';
import { forGood, type Keep } from '../shared/storage';
import type { Author } from '../votes/sayingVotes';

/** `outcome` is null before the author is known, and `unlisted` when the author was not among the names to choose from. */
export interface Guess {
  who: string;
  outcome: 'right' | 'wrong' | 'unlisted' | null;
  /** How many guesses in a row were right, this one included; of a wrong one, how many before it. */
  streak: number;
}

export interface Choice {
  who: string;
  name: string;
}

// The sayings of the collection have no model.
const A_PERSON: Choice = { who: 'person', name: 'A person' };
export const STREAK_STORED_AS = 'sayings.streak';

/** Those who may have written a saying: the models that take part, and a person. Empty while nothing is known of them. */
export function choicesOf(answer: ModelsAnswer | null): Choice[] {
  const models = answer?.models.filter(({ participates }) => participates) ?? [];
  return models.length ? [...models.map(({ model, name }) => ({ who: model, name })), A_PERSON] : [];
}

/** Compares a guess with the author, and counts the streak in `memory`. */
export function judged({ who }: Guess, { model }: Author, choices: Choice[], memory: Keep = forGood): Guess {
  const author = model ?? A_PERSON.who;
  const streak = Number(memory.getItem(STREAK_STORED_AS)) || 0;
  if (!choices.some((choice) => choice.who === author)) return { who, outcome: 'unlisted', streak };
  const right = who === author;
  memory.setItem(STREAK_STORED_AS, String(right ? streak + 1 : 0));
  return right ? { who, outcome: 'right', streak: streak + 1 } : { who, outcome: 'wrong', streak };
}

/** Says how good a guess was; empty before the author is known. */
export function guessNews({ outcome, streak }: Guess, name: string): string {
  switch (outcome) {
    case 'right':
      return streak > 1 ? `You guessed it. That makes ${streak} in a row.` : 'You guessed it.';
    case 'wrong':
      return `It was not ${lowered(name)}.${streak > 1 ? ` Your streak ends at ${streak}.` : ''}`;
    case 'unlisted':
      return 'None of the names was right, so this guess does not count.';
    default:
      return '';
  }
}

function lowered(name: string): string {
  return name === A_PERSON.name ? name.toLowerCase() : name;
}
