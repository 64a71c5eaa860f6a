import type { StatsAnswer } from '../../api/types';
import type { Period } from '../period';

/** What every section about a period is given. */
export interface SectionProps {
  stats: StatsAnswer;
  period: Period;
}
