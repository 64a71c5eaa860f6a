/** What a plot shows, as a table: read on the page and downloaded as CSV. */

export type Value = string | number | null;

/** `key` heads the column in the CSV, `value` is what stands there; `text` is what people read. */
export interface Column<Row> {
  key: string;
  name: string;
  value: (row: Row) => Value;
  text?: (row: Row) => string;
}

export interface Cell {
  value: Value;
  text: string;
}

export interface Sheet {
  /** The file's name without its date and ending. */
  file: string;
  caption: string;
  keys: readonly string[];
  names: readonly string[];
  rows: readonly (readonly Cell[])[];
}

export function sheet<Row>(
  file: string,
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Sheet {
  return {
    file,
    caption,
    keys: columns.map((column) => column.key),
    names: columns.map((column) => column.name),
    rows: rows.map((row) => columns.map((column) => cell(column, row))),
  };
}

function cell<Row>(column: Column<Row>, row: Row): Cell {
  const value = column.value(row);
  const text = value === null ? '–' : (column.text?.(row) ?? plain(value));
  return { value, text };
}

function plain(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en') : value;
}
