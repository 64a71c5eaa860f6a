import { useRef, useState } from 'preact/hooks';
import { asTrouble, fetchJson, Trouble } from '../api/client';
import { sessions } from '../compare/sessions';
import { shown } from '../sayings/shown';
import { TroubleNote } from '../shared/TroubleNote';
import { outbox, sayingVotes } from '../votes/post';
import { forget, type Memory, outcome } from './forget';

const MEMORY: Memory = {
  outbox,
  shown: [sayingVotes, shown, sessions],
  ask: () => fetchJson('/me', { method: 'DELETE' }),
};

/** The button that makes the server forget the visitor, with a question before and the outcome after. */
export function Forget() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [news, setNews] = useState<string | Trouble>('');
  const go = async () => {
    dialog.current?.close();
    setBusy(true);
    setNews('');
    setNews(await forget(MEMORY).then(outcome, asTrouble));
    setBusy(false);
  };
  return (
    <div class="forget">
      <button type="button" class="button" disabled={busy} onClick={() => dialog.current?.showModal()}>
        Forget me
      </button>
      <div role="status" class="forget-news">
        {news instanceof Trouble ? <TroubleNote prefix="You are not forgotten yet." trouble={news} /> : <p>{news}</p>}
      </div>
      <dialog ref={dialog} class="card" aria-labelledby="forget-question">
        <h2 id="forget-question">Forget you?</h2>
        <p>
          All your votes and choices are taken back and deleted, also those that still wait to be sent. Nobody can undo
          this. You can vote again as somebody new.
        </p>
        <form method="dialog" class="choices">
          <button type="submit" class="button">
            Keep everything
          </button>
          <button type="button" class="button primary" onClick={go}>
            Forget me
          </button>
        </form>
      </dialog>
    </div>
  );
}
