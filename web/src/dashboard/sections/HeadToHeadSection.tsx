import { useMemo } from 'preact/hooks';
import type { StatsAnswer } from '../../api/types';
import { count } from '../../shared/words';
import { whole } from '../figures';
import { intervalsLabel } from '../label';
import { Figure } from '../parts/Figure';
import { Intervals } from '../parts/Intervals';
import { Panel } from '../parts/Panel';
import { WinMatrix } from '../parts/WinMatrix';
import { matrix } from '../rows/matrix';
import { strengths } from '../rows/strength';

/** The results of the blind comparisons. */
export function HeadToHeadSection({ stats }: { stats: StatsAnswer }) {
  const strength = useMemo(() => strengths(stats), [stats]);
  const wins = useMemo(() => matrix(stats), [stats]);
  const none = stats.comparisons.count === 0 && 'No comparison has been voted on yet.';
  const few = !strength.known && 'Too few votes on comparisons yet to say how strong the models are.';
  return (
    <Panel title="Side by side" lede={lede(stats)} pair>
      <Figure
        title="Strength"
        note="By the Bradley–Terry model: of two models, the one with twice the strength is preferred two times in three."
        sheet={strength.sheet}
        empty={none || few}
      >
        <Intervals
          label={intervalsLabel('Bradley–Terry strength by model', strength.rows)}
          rows={strength.rows}
          axis={strength.axis}
        />
      </Figure>
      <Figure
        title="Who is preferred to whom"
        note="How often the model on the left was preferred to the one above, of the times that one of the two was."
        sheet={wins.sheet}
        empty={none}
      >
        <WinMatrix matrix={wins} />
      </Figure>
    </Panel>
  );
}

function lede({ comparisons: { count: all, raw, ties, none } }: StatsAnswer): string {
  if (!all) return 'Comparisons show one service in the words of all models, without their names.';
  const aside =
    raw > all ? ` ${whole(raw - all)} more came in bursts and ${raw - all === 1 ? 'is' : 'are'} set aside.` : '';
  const split = `${count(ties, 'tie')}, ${whole(none)} for none of them`;
  return `${count(all, 'vote')} on comparisons that hid the names: ${split}.${aside}`;
}
