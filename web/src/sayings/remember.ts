/** Connects votes with the sayings that were shown, so that both are the same in all tabs and after a reload. */

import { catalogue } from '../shared/models';
import { sayingVotes } from '../votes/post';
import type { Known } from '../votes/sayingVotes';
import { choicesOf, judged } from './guess';
import { LIST_STORED_AS, type Place, shown } from './shown';

export function startRemembering(): void {
  recallVotes(shown.place.value);
  shown.place.follow(recallVotes);
  sayingVotes.follow(noteVote);
  addEventListener('storage', ({ key }) => {
    // Without a key all of the storage was cleared.
    if (key === null || key === LIST_STORED_AS) shown.refresh();
  });
}

function recallVotes({ list }: Place): void {
  for (const { answer, known } of list) sayingVotes.meet(answer.sayingId, known);
}

function noteVote(sayingId: string, known: Known): void {
  const guess = shown.find(sayingId)?.guess ?? null;
  if (guess?.outcome === null && known.author) {
    shown.note(sayingId, { known, guess: judged(guess, known.author, choicesOf(catalogue.value)) });
  } else {
    shown.note(sayingId, { known });
  }
}
