import { online } from '../shared/connection';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import type { SayingVote } from '../votes/sayingVotes';
import { explained, voteNews } from './words';

/** Says what became of the visitor's vote on a saying. */
export function VoteNews({ vote }: { vote: SayingVote }) {
  const isOnline = useStore(online);
  const { state, trouble } = vote;
  const words = voteNews(vote, isOnline);
  if (state === 'refused' && trouble && !explained(trouble)) return <TroubleNote prefix={words} trouble={trouble} />;
  if (state === 'kept' && trouble && isOnline) return <TroubleNote prefix={words} trouble={trouble} again="sent" />;
  return <p class="note">{words}</p>;
}
