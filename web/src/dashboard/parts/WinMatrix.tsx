import { Shape } from '../../shared/Shape';
import { percent, whole } from '../figures';
import type { Matrix, MatrixRow, Pair } from '../rows/matrix';

/** The win matrix as a table. A cell's tint shows how far the row's model is ahead. */
export function WinMatrix({ matrix }: { matrix: Matrix }) {
  return (
    <table class="matrix">
      <caption class="unseen">How often the model of the row was preferred to the model of the column</caption>
      <thead>
        <tr>
          <td />
          {matrix.rows.map((row) => (
            <th key={row.name} scope="col">
              <Shape mark={row.mark} /> {row.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {matrix.rows.map((row) => (
          <tr key={row.name}>
            <th scope="row">
              <Shape mark={row.mark} /> {row.name}
            </th>
            {row.cells.map((pair, column) => (
              <Cell key={matrix.rows[column]?.name} pair={pair} row={row} />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cell({ pair, row }: { pair: Pair | null; row: MatrixRow }) {
  if (pair === null) return <td class="same" />;
  const { wins, losses, ties, share, verdict } = pair.record;
  const counts = `${whole(wins)}:${whole(losses)}`;
  if (share.value === null) {
    return (
      <td>
        <span class="counts">{wins + losses + ties ? counts : '–'}</span>
      </td>
    );
  }
  const ahead = verdict === 'ahead';
  return (
    <td
      class={ahead ? 'ahead' : verdict === null ? 'open' : undefined}
      style={ahead ? tint(row.mark.colour, share.value) : undefined}
    >
      <strong>{percent(share.value)}</strong>
      <span class="counts">{counts}</span>
    </td>
  );
}

/** The tint grows from a share of 50 % to one of 80 %; text on it stays readable. */
function tint(colour: string, share: number) {
  const amount = 12 + Math.min(1, Math.max(0, share - 0.5) / 0.3) * 30;
  return { backgroundColor: `color-mix(in srgb, ${colour} ${amount.toFixed(0)}%, var(--card))` };
}
