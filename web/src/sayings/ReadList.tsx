import { useState } from 'preact/hooks';
import { addressOfSaying } from '../routes';
import { type Read, shown } from './shown';
import { Thumb } from './Thumb';
import { byline } from './words';

const VOTE_NAMES = { POSITIVE: 'You voted thumbs up', NEGATIVE: 'You voted thumbs down' };

/** The sayings that were shown in this browser, the latest first. */
export function ReadList({ list }: { list: readonly Read[] }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="read" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>What you have read</summary>
      {open && (
        <>
          <p class="note">{heading(list)}</p>
          <ol reversed>
            {list.toReversed().map((read) => (
              <Entry key={read.answer.sayingId} read={read} />
            ))}
          </ol>
        </>
      )}
    </details>
  );
}

function heading({ length }: readonly Read[]): string {
  if (length === 0) return 'Nothing yet. The first one is on its way.';
  return `${length === 1 ? 'One saying' : `The last ${length} sayings`}, kept in this browser only.`;
}

function Entry({ read: { answer, known } }: { read: Read }) {
  const { sayingId, saying, services } = answer;
  const author = byline(known.author ?? answer);
  const { stored } = known;
  return (
    <li>
      {author ? <a href={addressOfSaying(sayingId)}>{saying}</a> : <Unvoted sayingId={sayingId} saying={saying} />}
      <p class="note">
        {stored && <Thumb type={stored} name={VOTE_NAMES[stored]} />}
        <span>{[services.join(', '), author || 'vote to see who wrote it'].filter(Boolean).join(' · ')}</span>
      </p>
    </li>
  );
}

// Its own page would tell the author before the vote.
function Unvoted({ sayingId, saying }: { sayingId: string; saying: string }) {
  const show = () => {
    shown.goTo(sayingId);
    scrollTo(0, 0);
  };
  return (
    <button type="button" class="text-button" onClick={show}>
      {saying}
    </button>
  );
}
