import { useMemo } from 'preact/hooks';
import type { StatsAnswer } from '../../api/types';
import { intervalsLabel } from '../label';
import { Figure } from '../parts/Figure';
import { Intervals } from '../parts/Intervals';
import { Panel } from '../parts/Panel';
import { atEqualLength } from '../rows/length';

/** Whether a model is picked for more than the length of what it writes, when operators have analysed that. */
export function LengthSection({ stats }: { stats: StatsAnswer }) {
  const equal = useMemo(() => atEqualLength(stats), [stats]);
  if (!equal) return null;
  return (
    <Panel id="length" title="After allowing for length" lede={equal.lede}>
      <Figure
        note="How often each model would be picked as the best if all wrote sayings of the same length."
        sheet={equal.sheet}
      >
        <Intervals
          label={intervalsLabel('Picked at equal length, by model', equal.rows)}
          rows={equal.rows}
          axis={equal.axis}
        />
      </Figure>
    </Panel>
  );
}
