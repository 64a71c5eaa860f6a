import type { FeedbackType } from '../api/types';
import { sayingVotes } from '../votes/post';
import type { SayingVote, Votable } from '../votes/sayingVotes';
import { Thumb } from './Thumb';

const THUMBS: { type: FeedbackType; name: string; side: 'up' | 'down' }[] = [
  { type: 'POSITIVE', name: 'Thumbs up', side: 'up' },
  { type: 'NEGATIVE', name: 'Thumbs down', side: 'down' },
];

interface VoteButtonsProps {
  answer: Votable | null;
  vote: SayingVote;
  /** The counts from before the vote, where they are shown. */
  counts?: SayingVote['counts'];
}

/** Pressing the other button changes the vote; pressing the same one again takes it back. */
export function VoteButtons({ answer, vote, counts = null }: VoteButtonsProps) {
  const isFinal = sayingVotes.isFinal(vote);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is sent together
    <div class="votes" role="group" aria-label="Your vote">
      {THUMBS.map(({ type, name, side }) => (
        <button
          key={type}
          type="button"
          class="button vote"
          aria-pressed={vote.wanted === type}
          disabled={!answer}
          aria-disabled={isFinal}
          onClick={() => answer && sayingVotes.press(answer, type)}
        >
          <Thumb type={type} name={name} />
          <span class="count">{(vote.counts ?? counts)?.[side]}</span>
        </button>
      ))}
    </div>
  );
}
