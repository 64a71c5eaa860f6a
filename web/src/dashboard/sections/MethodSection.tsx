import type { StatsAnswer } from '../../api/types';
import { Panel } from '../parts/Panel';
import { Summary } from '../parts/Summary';

const METHOD =
  'A lot decides whether a saying comes with its author’s name or without, and only first votes without it count as ' +
  'blind approval. Every voter has one vote for each saying and each comparison, and what one network can ' +
  'contribute is limited: the excess is set aside. All intervals are 95 % intervals that allow for the tastes of voters ' +
  'and for the differences between sayings.';

/** How the figures are counted, and the totals that they rest on. */
export function MethodSection({ stats }: { stats: StatsAnswer }) {
  return (
    <Panel id="method" title="How we count" lede={METHOD}>
      <Summary stats={stats} />
    </Panel>
  );
}
