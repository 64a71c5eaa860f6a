import { useMemo } from 'preact/hooks';
import type { StatsAnswer } from '../../api/types';
import { intervalsLabel } from '../label';
import { Figure } from '../parts/Figure';
import { Intervals } from '../parts/Intervals';
import { Panel } from '../parts/Panel';
import { type Services, services } from '../rows/services';

/** The services whose sayings people like best. */
export function ServicesSection({ stats }: { stats: StatsAnswer }) {
  const found = useMemo(() => services(stats), [stats]);
  return (
    <Panel id="services" title="Services" lede={lede(found)}>
      <Figure sheet={found.sheet} empty={!found.rows.length && 'No service has enough votes yet to name an approval.'}>
        <Intervals label={intervalsLabel('Approval by service', found.rows)} rows={found.rows} axis={found.axis} />
      </Figure>
    </Panel>
  );
}

function lede({ rows, measured, all }: Services): string {
  const what =
    'Approval of all models’ sayings about a service, in blind votes of all time. There are no intervals, because each ' +
    'share rests on few sayings.';
  if (!rows.length || all === rows.length) return `${what} The table has each model.`;
  const drawn = measured > rows.length ? 'the most votes' : 'enough votes';
  return `${what} Drawn are the ${rows.length} with ${drawn}; the table has all ${all}, and each model.`;
}
