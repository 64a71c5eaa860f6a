import type { ComponentChildren } from 'preact';
import type { Sheet } from '../sheet';
import { Tools } from './Tools';

interface FigureProps {
  /** Needed when a panel has more than one figure. */
  title?: string;
  note?: string;
  sheet: Sheet;
  /** Shown instead of the plot when there is nothing to plot. */
  empty?: string | false;
  children: ComponentChildren;
}

/** A plot with its data as a table, to read on the page or to download. */
export function Figure({ title, note, sheet, empty, children }: FigureProps) {
  return (
    <div class="figure">
      {title && <h3>{title}</h3>}
      {note && <p class="note">{note}</p>}
      {empty ? <p class="empty">{empty}</p> : children}
      {sheet.rows.length > 0 && <Tools sheet={sheet} />}
    </div>
  );
}
