import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asTrouble, fetchJson, type Trouble } from '../api/client';
import type { StoredSaying } from '../api/types';
import { addressOf, currentPlace } from '../routes';
import { Ground } from '../sayings/Ground';
import { Nothing, Quotation } from '../sayings/Quotation';
import { Report } from '../sayings/Report';
import { Share } from '../sayings/Share';
import { shown } from '../sayings/shown';
import { VoteButtons } from '../sayings/VoteButtons';
import { VoteNews } from '../sayings/VoteNews';
import { byline } from '../sayings/words';
import { nextTry, useAgain, type Waiting } from '../shared/again';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import { sayingVotes } from '../votes/post';
import { absence, titleOf } from './words';

/** One saying, at an address of its own. */
export default function Saying() {
  const place = useStore(currentPlace);
  return place.view === 'saying' ? <One id={place.id} key={place.id} /> : null;
}

function One({ id }: { id: string }) {
  const { saying, trouble, againAt } = useOne(id);
  const vote = useStore(sayingVotes.of(id));
  const gone = trouble && absence(trouble);
  if (gone) return <Absent {...gone} />;
  return (
    <article class="reader">
      <h1 class="unseen">{saying ? `A saying about ${saying.services.join(' and ') || 'the cloud'}` : 'A saying'}</h1>
      <section class="stage" aria-label="Saying" aria-busy={!saying && !trouble}>
        {saying && <Ground services={saying.services} />}
        <figure class="quotation" aria-live="polite">
          {saying ? <Quotation {...saying} author={byline(saying)} /> : <Nothing />}
        </figure>
        <div class="news" role="status">
          {trouble && <TroubleNote trouble={trouble} at={againAt ?? trouble.retryAt} again={againAt !== null} />}
          {saying && <VoteNews saying={saying} vote={vote} />}
          {saying && vote.wanted === null && <p class="note">{ONLY_HERE}</p>}
        </div>
      </section>
      <div class="controls">
        <a class="button primary" href={addressOf('sayings')}>
          Read another
        </a>
        <VoteButtons answer={saying} vote={vote} counts={saying && countsOf(saying)} />
        <div class="links">
          <Share answer={saying} />
          <Report sayingId={saying && id} />
        </div>
      </div>
    </article>
  );
}

const ONLY_HERE = 'A vote here counts for this saying, but not in the comparison of the models.';

function Absent({ heading, text }: { heading: string; text: string }) {
  return (
    <article class="nowhere">
      <h1>{heading}</h1>
      <p>{text}</p>
      <p>
        <a class="button primary" href={addressOf('sayings')}>
          Read another
        </a>
      </p>
    </article>
  );
}

function countsOf({ upvotes, downvotes }: StoredSaying): { up: number; down: number } {
  return { up: upvotes, down: downvotes };
}

interface OneState extends Waiting {
  saying: StoredSaying | null;
}

const NOTHING: OneState = { saying: null, trouble: null, againAt: null };

/** Fetches a saying, again and again where that may help. */
function useOne(id: string): OneState {
  const [state, setState] = useState(NOTHING);
  const failures = useRef(0);
  const latest = useRef<AbortController | null>(null);
  const ask = useCallback(() => {
    latest.current?.abort();
    const mine = new AbortController();
    latest.current = mine;
    setState(NOTHING);
    fetchJson<StoredSaying>(`/sayings/${id}`, { signal: mine.signal }).then(
      (saying) => {
        if (mine.signal.aborted) return;
        shown.reveal(saying);
        setState({ ...NOTHING, saying });
      },
      (error) => {
        if (!mine.signal.aborted) setState(failed(asTrouble(error), failures.current++));
      },
    );
  }, [id]);
  useEffect(() => {
    ask();
    return () => latest.current?.abort();
  }, [ask]);
  useEffect(() => {
    if (state.saying) document.title = titleOf(state.saying.saying);
  }, [state.saying]);
  useAgain(state, ask);
  return state;
}

function failed(trouble: Trouble, failures: number): OneState {
  return { saying: null, trouble, againAt: nextTry(trouble, failures) };
}
