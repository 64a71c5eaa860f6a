import { useMemo } from 'preact/hooks';
import { count } from '../../shared/words';
import { percent } from '../figures';
import { marksOfRows } from '../marks';
import { DataTable } from '../parts/DataTable';
import { Panel } from '../parts/Panel';
import { Download } from '../parts/Tools';
import { during } from '../period';
import { failures } from '../rows/failures';
import type { SectionProps } from './section';

/** The kinds of failures of each model. */
export function FailuresSection({ stats, period }: SectionProps) {
  const { asked, failed, sheet } = useMemo(() => failures(stats, period), [stats, period]);
  const when = during(stats, period);
  const lede = asked
    ? `Of ${count(asked, 'call')} ${when}, ${failed === 0 ? 'none' : `${count(failed, 'call')} (${percent(failed / asked, 1)})`} failed, for these reasons.`
    : `No model was called ${when}, so that none has failed.`;
  return (
    <Panel id="failures" title="Failures" lede={lede}>
      {asked > 0 && (
        <>
          <DataTable sheet={sheet} marks={marksOfRows(stats)} />
          <div class="tools">
            <Download sheet={sheet} />
          </div>
        </>
      )}
    </Panel>
  );
}
