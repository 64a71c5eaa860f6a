import { catalogue } from '../shared/models';
import { useStore } from '../shared/store';
import { choicesOf, guessNews } from './guess';
import { type Read, shown } from './shown';

/** Lets the visitor guess who wrote a saying, as long as the vote has not told, and says afterwards how it went. */
export function GuessButtons({ read }: { read: Read }) {
  const choices = choicesOf(useStore(catalogue));
  const { answer, known, guess } = read;
  const { sayingId } = answer;
  if (!answer.blind) return null;
  if (known.author) {
    const name = choices.find(({ who }) => who === guess?.who)?.name;
    return <p class="guess-news">{guess && name && guessNews(guess, name)}</p>;
  }
  const take = (who: string) => {
    shown.note(sayingId, { guess: guess?.who === who ? null : { who, outcome: null, streak: 0 } });
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
