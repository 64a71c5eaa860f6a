import { addressOf, VIEWS, type View } from '../routes';
import { Logo } from './Logo';

const NAMES: Record<View, string> = { sayings: 'Sayings', compare: 'Compare', dashboard: 'Dashboard' };

export function Header({ view }: { view: View }) {
  return (
    <header class="header">
      <a class="brand" href={addressOf('sayings')} aria-label="Cloud Sayings">
        <Logo />
        <span>Cloud Sayings</span>
      </a>
      <nav aria-label="Views">
        {VIEWS.map((name) => (
          <a key={name} href={addressOf(name)} aria-current={name === view ? 'page' : undefined}>
            {NAMES[name]}
          </a>
        ))}
      </nav>
    </header>
  );
}
