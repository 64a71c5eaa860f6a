import type { ComponentChildren } from 'preact';
import { useContext, useId, useState } from 'preact/hooks';
import { csv, fileName } from '../csv';
import { download } from '../download';
import type { Sheet } from '../sheet';
import { DataTable } from './DataTable';
import { FiguresContext } from './FiguresContext';

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

function Tools({ sheet }: { sheet: Sheet }) {
  const { generatedAt, simulated } = useContext(FiguresContext);
  const [open, setOpen] = useState(false);
  const id = useId();
  const about = <span class="unseen">: {sheet.caption}</span>;
  const take = () => download(fileName(sheet, generatedAt, simulated), csv(sheet));
  return (
    <div class="tools">
      <button type="button" class="text-button" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        {open ? 'Hide table' : 'Show table'}
        {about}
      </button>
      <button type="button" class="text-button" onClick={take}>
        Download CSV{about}
      </button>
      <div id={id} class="table" hidden={!open}>
        <DataTable sheet={sheet} />
      </div>
    </div>
  );
}
