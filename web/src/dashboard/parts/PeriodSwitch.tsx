import type { StatsAnswer } from '../../api/types';
import { PERIODS, type Period, periodName } from '../period';

interface PeriodSwitchProps {
  stats: StatsAnswer;
  period: Period;
  choose: (period: Period) => void;
}

/** The choice of the period that the figures below are of. */
export function PeriodSwitch({ stats, period, choose }: PeriodSwitchProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is sent together
    <div class="periods" role="group" aria-label="Period of the figures below">
      {PERIODS.map((one) => (
        <button key={one} type="button" class="button" aria-pressed={one === period} onClick={() => choose(one)}>
          {periodName(stats, one)}
        </button>
      ))}
    </div>
  );
}
