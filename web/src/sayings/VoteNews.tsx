import { online } from '../shared/connection';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import { ballots } from '../votes/post';
import { voteNews } from './words';

/** What became of one's vote on a saying. */
export function VoteNews({ sayingId }: { sayingId: string }) {
  const ballot = useStore(ballots.of(sayingId));
  const isOnline = useStore(online);
  const { news, trouble } = ballot;
  const words = voteNews(ballot, isOnline);
  if (news === 'refused' && trouble) return <TroubleNote prefix={words} trouble={trouble} />;
  if (news === 'kept' && trouble && isOnline) return <TroubleNote prefix={words} trouble={trouble} again />;
  return <p class="note">{words}</p>;
}
