import { useCallback, useMemo } from 'preact/hooks';
import { Chart } from '../parts/Chart';
import { Figure } from '../parts/Figure';
import { Panel } from '../parts/Panel';
import { type Distributions, distributionsHeight, drawDistributions } from '../plots/distributions';
import { type LatencyPlot, latency, latencyDomain, percentileText } from '../rows/latency';
import type { SectionProps } from './section';

/** The latency of the models, for single sayings and for rounds. */
export function LatencySection({ stats, period }: SectionProps) {
  const single = useMemo(() => latency(stats, period, 'single'), [stats, period]);
  const round = useMemo(() => latency(stats, period, 'round'), [stats, period]);
  const domain = useMemo(() => latencyDomain([single, round]), [single, round]);
  const lede = `Half of all calls were answered within p50, nine in ten within p90, 99 in 100 within p99; a call that failed counts as never answered. Read off to within ${(stats.relativeError * 100).toFixed(1)}\u00a0%, on one logarithmic scale.`;
  return (
    <Panel id="latency" title="Latency" lede={lede} pair>
      <Figure
        title="One saying"
        note="Live answers and comparisons: a visitor waits."
        sheet={single.sheet}
        empty={!single.known && 'No model has answered with one saying yet.'}
      >
        <Histograms label={label('Latency of calls for one saying', single)} rows={single.rows} domain={domain} />
      </Figure>
      <Figure
        title="A round"
        note="Several sayings in one call, made ahead: no visitor waits."
        sheet={round.sheet}
        empty={!round.known && 'No round has been made yet.'}
      >
        <Histograms label={label('Latency of calls for a round', round)} rows={round.rows} domain={domain} />
      </Figure>
    </Panel>
  );
}

function Histograms({ label, rows, domain }: Distributions) {
  const draw = useCallback((width: number) => drawDistributions({ label, rows, domain }, width), [label, rows, domain]);
  return <Chart draw={draw} height={() => distributionsHeight(rows.length)} />;
}

function label(title: string, { rows }: LatencyPlot): string {
  return `${title}. ${rows.map((row) => `${row.name}: ${percentileText(row) || 'too few answers'}.`).join(' ')}`;
}
