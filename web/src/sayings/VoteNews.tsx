import { useEffect } from 'preact/hooks';
import { online } from '../shared/connection';
import { keepsCookies } from '../shared/cookies';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import type { SayingVote, Votable } from '../votes/sayingVotes';
import { approval, wantStandings } from './standings';
import { agreement, authorStanding, explained, voteNews } from './words';

interface VoteNewsProps {
  saying: Votable & { model: string | null };
  vote: SayingVote;
}

/** Says what became of the visitor's vote on a saying, and how it compares with those of others. */
export function VoteNews({ saying, vote }: VoteNewsProps) {
  const isOnline = useStore(online);
  const standings = useStore(approval);
  const { state, stored, trouble } = vote;
  useEffect(() => {
    if (stored !== null) wantStandings();
  }, [stored]);
  const words = voteNews(vote, isOnline, keepsCookies);
  if (state === 'refused' && trouble && !explained(trouble)) return <TroubleNote prefix={words} trouble={trouble} />;
  if (state === 'kept' && trouble && trouble.kind !== 'offline' && isOnline)
    return <TroubleNote prefix={words} trouble={trouble} again />;
  const facts = stored === null ? [] : [agreement(vote), authorStanding(saying, standings)].filter(Boolean);
  return (
    <>
      {facts.length > 0 && <p class="fact">{facts.join(' ')}</p>}
      {words && <p class="note">{words}</p>}
    </>
  );
}
