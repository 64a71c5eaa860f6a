import { useCallback, useMemo } from 'preact/hooks';
import type { StatsAnswer } from '../../api/types';
import { percent } from '../figures';
import { Chart } from '../parts/Chart';
import { Figure } from '../parts/Figure';
import { Panel } from '../parts/Panel';
import { type DaysPlot, daysHeight, drawDays } from '../plots/days';
import { type DayRow, days } from '../rows/days';

const LEDE =
  'Approval in the blind votes of the week up to each day; weeks with fewer than 30 votes are left out. A dashed line ' +
  'marks a new prompt, a new snapshot of the model, or its end.';

/** Approval day by day, and what changed about the models. */
export function DaysSection({ stats }: { stats: StatsAnswer }) {
  const { rows, domain, known, changes, sheet } = useMemo(() => days(stats), [stats]);
  return (
    <Panel id="days" title="Day by day" lede={LEDE}>
      <Figure sheet={sheet} empty={!known && 'No week has enough votes on a model yet.'}>
        <Lines label={label(rows)} rows={rows} domain={domain} />
        {changes.length > 0 && (
          <ul class="note changes">
            {changes.map((change) => (
              <li key={change}>{change}</li>
            ))}
          </ul>
        )}
      </Figure>
    </Panel>
  );
}

function Lines({ label, rows, domain }: DaysPlot) {
  const draw = useCallback((width: number) => drawDays({ label, rows, domain }, width), [label, rows, domain]);
  return <Chart draw={draw} height={() => daysHeight(rows.length)} />;
}

function label(rows: readonly DayRow[]): string {
  const ends = rows.map(({ name, points }) => {
    const [first, last] = [points.at(0), points.at(-1)];
    return first && last
      ? `${name}: from ${percent(first.share)} to ${percent(last.share)}.`
      : `${name}: too few votes.`;
  });
  return `Approval by week. ${ends.join(' ')}`;
}
