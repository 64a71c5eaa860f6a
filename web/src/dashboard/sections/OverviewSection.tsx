import { useMemo } from 'preact/hooks';
import { marksOfRows } from '../marks';
import { DataTable } from '../parts/DataTable';
import { Panel } from '../parts/Panel';
import { Download } from '../parts/Tools';
import { during } from '../period';
import { legend } from '../retired';
import { overview } from '../rows/overview';
import type { SectionProps } from './section';

/** One table with the main figures of all models. */
export function OverviewSection({ stats, period }: SectionProps) {
  const sheet = useMemo(() => overview(stats, period), [stats, period]);
  const lede = `What was measured ${during(stats, period)}, with 95 % intervals. ${legend(stats.models)}`;
  return (
    <Panel title="All models" lede={lede}>
      <DataTable sheet={sheet} marks={marksOfRows(stats)} />
      <div class="tools">
        <Download sheet={sheet} />
      </div>
    </Panel>
  );
}
