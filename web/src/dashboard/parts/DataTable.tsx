import type { Sheet } from '../sheet';

/** A sheet as a table whose first column names the rows. A table that is too wide can be scrolled, by keyboard too. */
export function DataTable({ sheet }: { sheet: Sheet }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scroll" tabIndex={0} aria-label={`${sheet.caption}, table`}>
      <table class="data">
        <caption class="unseen">{sheet.caption}</caption>
        <thead>
          <tr>
            {sheet.names.map((name, column) => (
              <th key={sheet.keys[column]} scope="col" class={isNumeric(sheet, column) ? 'number' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sheet.rows.map(([head, ...cells], row) => (
            <tr key={row}>
              <th scope="row">{head?.text}</th>
              {cells.map((cell, column) => (
                <td key={sheet.keys[column + 1]} class={isNumeric(sheet, column + 1) ? 'number' : undefined}>
                  {cell.text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function isNumeric({ rows }: Sheet, column: number): boolean {
  return rows.every((row) => typeof row[column]?.value !== 'string');
}
