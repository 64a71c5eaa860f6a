import type { StatsAnswer } from '../../api/types';
import { dollars } from '../../shared/words';
import { whole } from '../figures';

/** The totals that the figures rest on. */
export function Summary({ stats: { totals, comparisons } }: { stats: StatsAnswer }) {
  const aside = totals.raw.votes - totals.filtered.votes;
  return (
    <dl class="summary">
      <Figure name="Votes" value={whole(totals.filtered.votes)} remark={aside > 0 ? `${whole(aside)} set aside` : ''} />
      <Figure name="Comparisons" value={whole(comparisons.count)} />
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
