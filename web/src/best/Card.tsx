import type { StoredSaying } from '../api/types';
import { addressOfSaying } from '../routes';
import { Services } from '../sayings/Services';
import { VoteButtons } from '../sayings/VoteButtons';
import { VoteNews } from '../sayings/VoteNews';
import { byline } from '../sayings/words';
import { ModelShape } from '../shared/ModelShape';
import { useStore } from '../shared/store';
import { sayingVotes } from '../votes/post';

/** One saying of the list, with its author and its votes. */
export function Card({ saying }: { saying: StoredSaying }) {
  const { sayingId, upvotes, downvotes, services } = saying;
  const vote = useStore(sayingVotes.of(sayingId));
  return (
    <li class="card listed">
      <Services names={services} />
      <blockquote dir="auto">
        <a href={addressOfSaying(sayingId)}>{saying.saying}</a>
      </blockquote>
      <p class="note">
        <ModelShape model={saying.model} />
        {byline(saying)}
      </p>
      <VoteButtons answer={saying} vote={vote} counts={{ up: upvotes, down: downvotes }} />
      <div class="listed-news" role="status">
        {vote.state !== null && <VoteNews saying={saying} vote={vote} />}
      </div>
    </li>
  );
}
