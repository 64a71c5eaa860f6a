import type { Mark } from '../../shared/marks';
import { Shape } from '../../shared/Shape';
import type { Sheet } from '../sheet';

/** A sheet as a table whose first column names the rows. A table that is too wide can be scrolled, by keyboard too. `marks` are those of
 * the rows. */
export function DataTable({ sheet, marks }: { sheet: Sheet; marks?: readonly Mark[] }) {
  const shown = sheet.names.flatMap((name, column) =>
    name === null ? [] : [{ name, column, look: look(sheet, column) }],
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scroll" tabIndex={0} aria-label={`${sheet.caption}, table`}>
      <table class="data">
        <caption class="unseen">{sheet.caption}</caption>
        <thead>
          <tr>
            {shown.map(({ name, column, look }) => (
              <th key={column} scope="col" class={look}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sheet.rows.map((cells, row) => (
            <tr key={row}>
              {shown.map(({ column, look }, place) =>
                place === 0 ? (
                  <th key={column} scope="row">
                    {marks?.[row] && <Shape mark={marks[row]} />} {cells[column]?.text}
                  </th>
                ) : (
                  <td key={column} class={look}>
                    {cells[column]?.text}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function look({ rows }: Sheet, column: number): 'number' | undefined {
  return rows.every((row) => typeof row[column]?.value !== 'string') ? 'number' : undefined;
}
