import type { StatsAnswer } from '../../api/types';
import { dollars } from '../../shared/words';
import { whole } from '../figures';

/** The totals that the figures rest on. */
export function Summary({ stats: { totals, comparisons } }: { stats: StatsAnswer }) {
  const { votes, named, open, unverified, setAside } = totals;
  return (
    <dl class="summary" aria-label="Of all time">
      <Figure name="Blind votes" value={whole(votes.votes)} />
      <Figure name="Votes with the name" value={whole(named.votes + open.votes)} />
      <Figure
        name="Votes not counted"
        value={whole(unverified + setAside)}
        remark={`${whole(setAside)} set aside, ${whole(unverified)} unverified`}
      />
      <Figure name="Comparisons judged" value={whole(comparisons.allTime.ballots)} />
      <Figure name="Sayings shown" value={whole(totals.serves)} />
      <Figure name="Spent on models" value={dollars(totals.cost)} />
    </dl>
  );
}

function Figure({ name, value, remark = '' }: { name: string; value: string; remark?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value} {remark && <span class="note">{remark}</span>}
      </dd>
    </div>
  );
}
