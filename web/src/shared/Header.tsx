import { addressOf, type Place, type View } from '../routes';
import { Logo } from './Logo';

// The footer leads to the view that is not here.
const NAMES: [View, string][] = [
  ['sayings', 'Sayings'],
  ['best', 'Best'],
  ['arena', 'Compare'],
  ['dashboard', 'Dashboard'],
];

export function Header({ place }: { place: Place }) {
  return (
    <header class="header">
      <a class="brand" href={addressOf('sayings')} aria-label="Cloud Sayings">
        <Logo />
        <span>Cloud Sayings</span>
      </a>
      <nav aria-label="Views">
        {NAMES.map(([name, words]) => (
          <a key={name} href={addressOf(name)} aria-current={name === place.view ? 'page' : undefined}>
            {words}
          </a>
        ))}
      </nav>
    </header>
  );
}
