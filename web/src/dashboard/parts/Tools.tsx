import { useContext, useId, useState } from 'preact/hooks';
import { csv, fileName } from '../csv';
import { download } from '../download';
import type { Sheet } from '../sheet';
import { DataTable } from './DataTable';
import { FiguresContext } from './FiguresContext';

/** The button that shows a sheet as a table, and the one that downloads it. */
export function Tools({ sheet }: { sheet: Sheet }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <div class="tools">
      <button type="button" class="text-button" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        {open ? 'Hide table' : 'Show table'}
        <span class="unseen">: {sheet.caption}</span>
      </button>
      <Download sheet={sheet} />
      <div id={id} class="table" hidden={!open}>
        <DataTable sheet={sheet} />
      </div>
    </div>
  );
}

export function Download({ sheet }: { sheet: Sheet }) {
  const { generatedAt, simulated } = useContext(FiguresContext);
  const take = () => download(fileName(sheet, generatedAt, simulated), csv(sheet));
  return (
    <button type="button" class="text-button" onClick={take}>
      Download CSV<span class="unseen">: {sheet.caption}</span>
    </button>
  );
}
