import { useEffect, useRef, useState } from 'preact/hooks';
import type { Winner } from '../api/types';
import { useStore } from '../shared/store';
import type { Wish } from './ask';
import { Cards } from './Cards';
import { Controls } from './Controls';
import { News } from './News';
import { fetchPopularity } from './popularity';
import { sessions } from './sessions';
import { useKeptFocus } from './useKeptFocus';
import { useRetry } from './useRetry';
import { stage } from './words';
import './compare.css';

const pick = (winner: Winner) => sessions.pick(winner);

function start(wish: Wish) {
  void sessions.start(wish);
  scrollTo(0, 0);
}

/** Shows what several models write about one service, and after the visitor's pick which model wrote what. */
export default function Compare() {
  // Before the first drawing, so that no empty view is seen where there is something to show.
  useState(() => void sessions.arrive());
  const session = useStore(sessions.current);
  const [service, choose] = useState('');
  const arena = useRef<HTMLDivElement>(null);
  const cards = useRef<HTMLUListElement>(null);
  useEffect(() => void fetchPopularity(), []);
  useRetry(session);
  useKeptFocus(arena, cards);
  return (
    <div class="arena" data-stage={stage(session)} ref={arena} tabIndex={-1}>
      <h1>Which model says it best?</h1>
      <News session={session} />
      <Cards session={session} pick={pick} list={cards} />
      <Controls session={session} service={service} choose={choose} start={start} pick={pick} />
    </div>
  );
}
