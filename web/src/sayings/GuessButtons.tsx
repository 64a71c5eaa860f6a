import { catalogue } from '../shared/models';
import { useStore } from '../shared/store';
import { choicesOf, guessNews } from './guess';
import { type Read, shown } from './shown';

/** Lets the visitor guess who wrote a saying, if the vote is to tell. */
export function GuessButtons({ read: { answer, guess } }: { read: Read }) {
  const choices = choicesOf(useStore(catalogue));
  const take = (who: string) => {
    shown.note(answer.sayingId, { guess: guess?.who === who ? null : { who, outcome: null, streak: 0 } });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is sent together
    <div class="guess" role="group" aria-label="Guess who wrote it, if you like">
      {choices.map(({ who, name }) => (
        <button key={who} type="button" class="chip" aria-pressed={guess?.who === who} onClick={() => take(who)}>
          {name}
        </button>
      ))}
    </div>
  );
}

/** Says how the guess went, once the vote has told. */
export function GuessNews({ read: { guess } }: { read: Read }) {
  const choices = choicesOf(useStore(catalogue));
  const name = choices.find(({ who }) => who === guess?.who)?.name;
  const words = guess && name ? guessNews(guess, name) : '';
  return words ? <p class="guess-news">{words}</p> : null;
}
