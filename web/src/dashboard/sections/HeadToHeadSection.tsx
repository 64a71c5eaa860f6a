import { useMemo } from 'preact/hooks';
import type { Comparisons } from '../../api/types';
import { count } from '../../shared/words';
import { estimate, whole } from '../figures';
import { intervalsLabel } from '../label';
import { Figure } from '../parts/Figure';
import { Intervals } from '../parts/Intervals';
import { Panel } from '../parts/Panel';
import { WinMatrix } from '../parts/WinMatrix';
import { during } from '../period';
import { matrix } from '../rows/matrix';
import { picked } from '../rows/picked';
import type { SectionProps } from './section';

/** The results of the blind comparisons. */
export function HeadToHeadSection({ stats, period }: SectionProps) {
  const picks = useMemo(() => picked(stats, period), [stats, period]);
  const wins = useMemo(() => matrix(stats, period), [stats, period]);
  const comparisons = stats.comparisons[period];
  const none = comparisons.ballots === 0 && 'No comparison has been judged yet.';
  const few = !picks.known && 'Too few comparisons yet to say how often each model is picked.';
  return (
    <Panel id="comparisons" title="Side by side" lede={lede(comparisons, during(stats, period))} pair>
      <Figure
        title="Picked as the best"
        note="Among comparisons in which one was picked, by Luce’s choice model. In the table, an answer that did not come is also counted as a loss."
        sheet={picks.sheet}
        empty={none || few}
      >
        <Intervals
          label={intervalsLabel('Picked as the best, by model', picks.rows)}
          rows={picks.rows}
          axis={picks.axis}
        />
      </Figure>
      <Figure
        title="Who is preferred to whom"
        note="How often the model on the left was picked rather than the one above, of the times that one of the two was. A tint means that it is ahead, allowing for the number of pairs."
        sheet={wins.sheet}
        empty={none}
      >
        <WinMatrix matrix={wins} />
      </Figure>
    </Panel>
  );
}

function lede({ ballots, setAside, tied, none }: Comparisons, when: string): string {
  if (!ballots) return 'Comparisons show one service in the words of all models, without their names.';
  const open =
    tied.value === null || none.value === null
      ? ''
      : `: ${estimate(tied.value, tied)} found all equally good, ${estimate(none.value, none)} none of them good`;
  const aside = setAside ? ` ${whole(setAside)} more ${setAside === 1 ? 'is' : 'are'} set aside.` : '';
  return `${count(ballots, 'comparison')} judged ${when}, without the names${open}.${aside}`;
}
