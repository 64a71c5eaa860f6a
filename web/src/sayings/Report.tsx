import { useRef, useState } from 'preact/hooks';
import { asTrouble, fetchJson, type Trouble } from '../api/client';
import type { ReportAnswer, ReportReason, ReportRequest } from '../api/types';
import { TroubleNote } from '../shared/TroubleNote';
import { REASONS, report } from './report';

/** The button that reports a saying. The browser's own dialogue holds the focus, and gives it back at the end. */
export function Report({ sayingId }: { sayingId: string | null }) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button type="button" class="text-button" disabled={!sayingId} onClick={() => dialog.current?.showModal()}>
        Report
      </button>
      <dialog class="card report" aria-labelledby="report-heading" ref={dialog}>
        {sayingId && <Form sayingId={sayingId} key={sayingId} close={() => dialog.current?.close()} />}
      </dialog>
    </>
  );
}

function Form({ sayingId, close }: { sayingId: string; close: () => void }) {
  const [reason, setReason] = useState<ReportReason>('offensive');
  const [news, setNews] = useState('');
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const send = async (event: Event) => {
    event.preventDefault();
    setTrouble(null);
    try {
      setNews(await report(() => postReport(sayingId, { reason })));
    } catch (error) {
      setTrouble(asTrouble(error));
    }
  };
  return (
    <form onSubmit={send}>
      <h2 id="report-heading">Report this saying?</h2>
      <fieldset hidden={news !== ''}>
        <legend>What is wrong with it?</legend>
        {REASONS.map(({ reason: value, words }) => (
          <label key={value}>
            <input type="radio" name="reason" checked={reason === value} onChange={() => setReason(value)} />
            {words}
          </label>
        ))}
      </fieldset>
      <div role="status">
        {news && <p class="note">{news}</p>}
        {trouble && <TroubleNote prefix="Your report was not stored." trouble={trouble} />}
      </div>
      <div class="choices">
        <button type="button" class="button" onClick={close}>
          {news ? 'Close' : 'Cancel'}
        </button>
        {!news && (
          <button type="submit" class="button primary">
            Report
          </button>
        )}
      </div>
    </form>
  );
}

function postReport(sayingId: string, body: ReportRequest): Promise<ReportAnswer> {
  return fetchJson(`/sayings/${encodeURIComponent(sayingId)}/report`, { method: 'POST', body });
}
