import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { currentView, type View } from './routes';
import { Sayings } from './sayings/Sayings';
import { Connection } from './shared/Connection';
import { Footer } from './shared/Footer';
import { Header } from './shared/Header';
import { Lazy } from './shared/Lazy';
import { useStore } from './shared/store';

const loadAbout = () => import('./about/About');
const loadCompare = () => import('./compare/Compare');
const loadDashboard = () => import('./dashboard/Dashboard');

const CONTENT: Record<View, ComponentType> = {
  sayings: Sayings,
  compare: () => <Lazy load={loadCompare} />,
  dashboard: () => <Lazy load={loadDashboard} />,
  about: () => <Lazy load={loadAbout} />,
};
const TITLES: Record<View, string> = {
  sayings: 'Cloud Sayings',
  compare: 'Compare · Cloud Sayings',
  dashboard: 'Dashboard · Cloud Sayings',
  about: 'About and privacy · Cloud Sayings',
};

export function App() {
  const view = useStore(currentView);
  const main = useArrival(view);
  const Content = CONTENT[view];
  return (
    <>
      <Header view={view} />
      <Connection />
      <main ref={main} tabIndex={-1} key={view}>
        <Content />
      </main>
      <Footer view={view} />
    </>
  );
}

/** Moves the scroll position and the focus to the top when the visitor opens another view. */
function useArrival(view: View) {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = TITLES[view];
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [view]);
  return main;
}
