import { useCallback, useMemo } from 'preact/hooks';
import type { StatsAnswer } from '../../api/types';
import { count } from '../../shared/words';
import { hourOfDay } from '../figures';
import { Chart } from '../parts/Chart';
import { Figure } from '../parts/Figure';
import { Panel } from '../parts/Panel';
import { drawHours, HOURS_HEIGHT, type Hours } from '../plots/hours';
import { type HourBar, hourBars, hoursSheet, peak, total } from '../rows/hours';

/** Votes and serves in each hour of the last day. */
export function HoursSection({ stats }: { stats: StatsAnswer }) {
  const votes = useMemo(() => hourBars(stats, 'votes'), [stats]);
  const serves = useMemo(() => hourBars(stats, 'serves'), [stats]);
  const lede = `${count(total(votes), 'vote')} of any kind, ${count(total(serves), 'saying')} shown; the collection’s are among them. The outlined hour is not over.`;
  return (
    <Panel id="hours" title="The last 24 hours" lede={lede} pair>
      <Figure
        title="Votes by the hour"
        sheet={hoursSheet(stats, 'votes')}
        empty={!total(votes) && 'No votes in the last 24 hours.'}
      >
        <Day label={label('Votes by the hour', votes)} bars={votes} colour="var(--accent)" />
      </Figure>
      <Figure
        title="Sayings shown"
        sheet={hoursSheet(stats, 'serves')}
        empty={!total(serves) && 'No sayings in the last 24 hours.'}
      >
        <Day label={label('Sayings shown by the hour', serves)} bars={serves} colour="var(--edge)" />
      </Figure>
    </Panel>
  );
}

function Day({ label, bars, colour }: Hours) {
  const draw = useCallback((width: number) => drawHours({ label, bars, colour }, width), [label, bars, colour]);
  return <Chart draw={draw} height={() => HOURS_HEIGHT} />;
}

function label(title: string, bars: readonly HourBar[]): string {
  const busiest = peak(bars);
  if (!busiest) return `${title}: none.`;
  return `${title}: ${total(bars)} in 24 hours, the most, ${busiest.count}, in the hour from ${hourOfDay(busiest.start)}.`;
}
