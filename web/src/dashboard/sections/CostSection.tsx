import { useMemo } from 'preact/hooks';
import { intervalsLabel } from '../label';
import { Figure } from '../parts/Figure';
import { Intervals } from '../parts/Intervals';
import { Panel } from '../parts/Panel';
import { costPer1000, costPerNetUpvote, spending } from '../rows/cost';
import type { SectionProps } from './section';

/** The cost per thousand sayings and per net upvote. */
export function CostSection({ stats, period }: SectionProps) {
  const thousand = useMemo(() => costPer1000(stats, period), [stats, period]);
  const net = useMemo(() => costPerNetUpvote(stats, period), [stats, period]);
  return (
    <Panel id="cost" title="Cost" lede={spending(stats)} pair>
      <Figure
        title="Per thousand sayings"
        note="Of rounds and live answers, by the vendors’ list prices and the tokens they counted; only sayings fit to be shown count."
        sheet={thousand.sheet}
        empty={!thousand.known && 'There is no cost yet.'}
      >
        <Intervals
          label={intervalsLabel('Cost per thousand sayings by model', thousand.rows)}
          rows={thousand.rows}
          axis={thousand.axis}
        />
      </Figure>
      <Figure
        title="Per net upvote"
        note="What a saying costs, by its thumbs up less its thumbs down, if each got one blind vote; with the 95 % interval."
        sheet={net.sheet}
        empty={!net.known && 'Too few votes yet to say what an upvote costs.'}
      >
        <Intervals label={intervalsLabel('Cost per net upvote by model', net.rows)} rows={net.rows} axis={net.axis} />
      </Figure>
    </Panel>
  );
}
