import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Nowhere } from './Nowhere';
import { currentPlace, type Place } from './routes';
import { Sayings } from './sayings/Sayings';
import { Connection } from './shared/Connection';
import { Footer } from './shared/Footer';
import { Header } from './shared/Header';
import { Lazy } from './shared/Lazy';
import { useStore } from './shared/store';

const loadSaying = () => import('./saying/Saying');
const loadBest = () => import('./best/Best');
const loadAbout = () => import('./about/About');
const loadArena = () => import('./compare/Compare');
const loadDashboard = () => import('./dashboard/Dashboard');

const CONTENT: Record<Place['view'], ComponentType> = {
  sayings: Sayings,
  saying: () => <Lazy load={loadSaying} />,
  best: () => <Lazy load={loadBest} />,
  arena: () => <Lazy load={loadArena} />,
  dashboard: () => <Lazy load={loadDashboard} />,
  about: () => <Lazy load={loadAbout} />,
  nowhere: Nowhere,
};
const TITLES: Record<Place['view'], string> = {
  sayings: 'Cloud Sayings',
  saying: 'A saying · Cloud Sayings',
  best: 'Best · Cloud Sayings',
  arena: 'Compare · Cloud Sayings',
  dashboard: 'Dashboard · Cloud Sayings',
  about: 'About and privacy · Cloud Sayings',
  nowhere: 'Not here · Cloud Sayings',
};

export function App() {
  const place = useStore(currentPlace);
  const key = keyOf(place);
  const main = useArrival(place.view, key);
  const Content = CONTENT[place.view];
  return (
    <>
      <Header place={place} />
      <Connection />
      <main ref={main} tabIndex={-1} key={key}>
        <Content />
      </main>
      <Footer place={place} />
    </>
  );
}

/** Equal for places that one and the same content shows. */
function keyOf(place: Place): string {
  return place.view === 'saying' ? place.id : place.view;
}

/** Moves the scroll position and the focus to the top when the visitor comes to another place. */
function useArrival(view: Place['view'], key: string) {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = TITLES[view];
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [view, key]);
  return main;
}
