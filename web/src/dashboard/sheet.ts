/** The data of a plot as a table, to read on the page or to download as CSV. */

export type Value = string | number | null;

/** `key` and `value` go into the CSV, `name` and `text` onto the page. A column without a name is in the CSV only. */
export interface Column<Row> {
  key: string;
  name: string | null;
  value: (row: Row) => Value;
  text?: (row: Row) => string;
  /** The text where there is no value, in place of a dash. */
  none?: (row: Row) => string;
}

export interface Cell {
  value: Value;
  text: string;
}

export interface Sheet {
  /** The file's name without its date and extension. */
  file: string;
  caption: string;
  keys: readonly string[];
  names: readonly (string | null)[];
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
  const text = value === null ? (column.none?.(row) ?? '–') : (column.text?.(row) ?? plain(value));
  return { value, text };
}

function plain(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en') : value;
}
