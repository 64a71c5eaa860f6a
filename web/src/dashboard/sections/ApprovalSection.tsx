import { useMemo } from 'preact/hooks';
import { intervalsLabel } from '../label';
import { Figure } from '../parts/Figure';
import { Intervals } from '../parts/Intervals';
import { Panel } from '../parts/Panel';
import { during } from '../period';
import { approval } from '../rows/approval';
import { brand } from '../rows/brand';
import type { SectionProps } from './section';

const LEDE =
  'A lot decides whether a saying comes with its author’s name. Bars are 95 % intervals, which allow for the tastes of ' +
  'voters and for the differences between sayings.';

/** The share of thumbs up by model in blind votes, and what the model's name adds to it. */
export function ApprovalSection({ stats, period }: SectionProps) {
  const blind = useMemo(() => approval(stats, period), [stats, period]);
  const name = useMemo(() => brand(stats, period), [stats, period]);
  return (
    <Panel id="approval" title="Approval, and what a name adds" lede={`${LEDE} ${blind.others}`} pair>
      <Figure
        title="Without the name"
        note={`The share of thumbs up among first votes ${during(stats, period)}, given before the author was shown.`}
        sheet={blind.sheet}
      >
        <Intervals label={intervalsLabel('Approval by model', blind.rows)} rows={blind.rows} axis={blind.axis} />
      </Figure>
      <Figure
        title="What the name adds"
        note="The same share under the author’s name, less the one without."
        sheet={name.sheet}
        empty={!name.known && 'Too few votes yet to say what a name adds.'}
      >
        <Intervals label={intervalsLabel('Brand effect by model', name.rows)} rows={name.rows} axis={name.axis} />
      </Figure>
    </Panel>
  );
}
