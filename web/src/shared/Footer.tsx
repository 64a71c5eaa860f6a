import { addressOf, type Place } from '../routes';
import { catalogue, changes, vendorsOfSimulated } from './models';
import { useStore } from './store';

/** Leads to the view about privacy, and says when models are simulated and who retires. Space is reserved, so that nothing moves when the remarks come. */
export function Footer({ place }: { place: Place }) {
  const answer = useStore(catalogue);
  const vendors = answer ? vendorsOfSimulated(answer.models) : [];
  const sentences = answer ? changes(answer) : [];
  return (
    <footer class="footer">
      <a class="footer-link" href={addressOf('about')} aria-current={place.view === 'about' ? 'page' : undefined}>
        About and privacy
      </a>
      <p class="simulated" hidden={vendors.length === 0}>
        <strong>The models are simulated.</strong> With an API key of their vendor ({vendors.join(' or ')}) in the
        environment, the real ones answer.
      </p>
      <p hidden={sentences.length === 0}>{sentences.join(' ')}</p>
    </footer>
  );
}
