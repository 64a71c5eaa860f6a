import { useCallback, useMemo } from 'preact/hooks';
import { Chart } from '../parts/Chart';
import { Figure } from '../parts/Figure';
import { Panel } from '../parts/Panel';
import { drawValue, type ValueDrawing, valueHeight } from '../plots/value';
import { value } from '../rows/value';
import type { SectionProps } from './section';

/** What a thousand sayings of each model cost, against how many people like them. */
export function ValueSection({ stats, period }: SectionProps) {
  const { points, domain, lede, sheet } = useMemo(() => value(stats, period), [stats, period]);
  const label = `Price against approval. ${points.map(({ title }) => `${title}.`).join(' ')}`;
  return (
    <Panel id="price" title="Price against approval" lede={lede}>
      <Figure sheet={sheet} empty={!points.length && 'No model has both a price and enough blind votes yet.'}>
        <Points label={label} points={points} domain={domain} />
      </Figure>
    </Panel>
  );
}

function Points({ label, points, domain }: ValueDrawing) {
  const draw = useCallback((width: number) => drawValue({ label, points, domain }, width), [label, points, domain]);
  return <Chart draw={draw} height={valueHeight} />;
}
