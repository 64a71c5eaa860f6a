import { useMemo } from 'preact/hooks';
import type { StatsAnswer } from '../../api/types';
import { intervalsLabel } from '../label';
import { Figure } from '../parts/Figure';
import { Intervals } from '../parts/Intervals';
import { Panel } from '../parts/Panel';
import { approval } from '../rows/approval';

/** The share of upvotes by model, and which model leads. */
export function ApprovalSection({ stats }: { stats: StatsAnswer }) {
  const { rows, axis, band, bursts, sheet } = useMemo(() => approval(stats), [stats]);
  const close = band ? ': one that reaches into the tinted band is too close to the first to call' : '';
  const lede = `The share of upvotes among the votes on a model’s sayings. Bars are 95 % intervals${close}.`;
  return (
    <Panel title="Approval" lede={lede}>
      <Figure sheet={sheet}>
        <Intervals label={intervalsLabel('Approval by model', rows)} rows={rows} axis={axis} band={band} />
        {bursts && <p class="note">{bursts}</p>}
      </Figure>
    </Panel>
  );
}
