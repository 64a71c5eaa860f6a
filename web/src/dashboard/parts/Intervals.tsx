import { useCallback } from 'preact/hooks';
import { drawIntervals, type IntervalPlot, intervalsHeight } from '../plots/intervals';
import { Chart } from './Chart';

/** A plot of estimates with their intervals. */
export function Intervals({ label, rows, axis }: IntervalPlot) {
  const draw = useCallback((width: number) => drawIntervals({ label, rows, axis }, width), [label, rows, axis]);
  return <Chart draw={draw} height={(width) => intervalsHeight(rows.length, width)} />;
}
