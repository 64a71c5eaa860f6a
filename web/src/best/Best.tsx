import { useEffect, useRef } from 'preact/hooks';
import { addressOf, currentPlace } from '../routes';
import { useStore } from '../shared/store';
import { TroubleNote } from '../shared/TroubleNote';
import { count } from '../shared/words';
import { Card } from './Card';
import { Filters } from './Filters';
import { type BestState, useBest } from './useBest';
import { addressOfWish, type Wish, wishOf } from './wish';
import './best.css';

/** The best sayings, or the newest, of all services and models or of some. */
export default function Best() {
  const place = useStore(currentPlace);
  const wish = wishOf(place.view === 'best' ? place.query : '');
  const { more, ...state } = useBest(wish);
  const { sayings, next, busy, before, trouble, againAt } = state;
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    // The button goes with the last page, and must not take the focus with it.
    const isLost = document.activeElement === document.body || document.activeElement === null;
    if (before > 0 && next === null && isLost)
      list.current?.children[before]?.querySelector<HTMLElement>('blockquote a')?.focus();
  }, [before, next]);
  return (
    <div class="best">
      <h1>{wish.order === 'top' ? 'The best sayings' : 'The newest sayings'}</h1>
      <Orders wish={wish} />
      <Filters wish={wish} />
      <p class="note">{RULES[wish.order]}</p>
      <ol class="best-list" aria-busy={busy} ref={list}>
        {sayings.map((saying) => (
          <Card key={saying.sayingId} saying={saying} />
        ))}
      </ol>
      <div role="status">
        {trouble && <TroubleNote trouble={trouble} at={againAt ?? trouble.retryAt} again={againAt !== null} />}
        <p class="unseen">{!busy && sayings.length > 0 && `${count(sayings.length, 'saying')} on this page.`}</p>
        <Empty wish={wish} state={state} />
      </div>
      {next !== null && (
        <button type="button" class="button" aria-disabled={busy} onClick={() => !busy && more()}>
          More
        </button>
      )}
    </div>
  );
}

const RULES = {
  top: 'The order goes by how sure it is that people like a saying, so that one thumb does not win. A vote here counts for the saying, but not in the comparison of the models.',
  new: 'Fresh from the models. A vote here counts for the saying, but not in the comparison of the models.',
};

const ORDERS: { order: Wish['order']; name: string }[] = [
  { order: 'top', name: 'Top' },
  { order: 'new', name: 'New' },
];

function Orders({ wish }: { wish: Wish }) {
  return (
    <nav class="orders" aria-label="Order">
      {ORDERS.map(({ order, name }) => (
        <a
          key={order}
          href={addressOfWish({ ...wish, order })}
          aria-current={order === wish.order ? 'page' : undefined}
        >
          {name}
        </a>
      ))}
    </nav>
  );
}

function Empty({ wish, state: { sayings, busy, trouble } }: { wish: Wish; state: BestState }) {
  if (sayings.length > 0 || busy || trouble) return null;
  const isFiltered = wish.service !== '' || wish.model !== '';
  return (
    <div class="best-empty">
      <p>
        {wish.order === 'top'
          ? 'Nobody has voted on any of these yet. Fame is still to be had.'
          : 'Nothing is written here yet.'}
      </p>
      <p>
        {isFiltered ? (
          <a href={addressOfWish({ ...wish, service: '', model: '' })}>Look at all services and models</a>
        ) : (
          <a href={addressOf('sayings')}>Read a saying and vote</a>
        )}
      </p>
    </div>
  );
}
