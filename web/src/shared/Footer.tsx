import { catalogue, changes, vendorsOfSimulated } from './models';
import { useStore } from './store';

/** Says when models are simulated, and who retires. Space is reserved, so that nothing moves when the remarks come. */
export function Footer() {
  const answer = useStore(catalogue);
  const vendors = answer ? vendorsOfSimulated(answer.models) : [];
  const sentences = answer ? changes(answer) : [];
  return (
    <footer class="footer">
      <p class="simulated" hidden={vendors.length === 0}>
        <strong>The models are simulated.</strong> With an API key of their vendor ({vendors.join(' or ')}) in the
        environment, the real ones answer.
      </p>
      <p hidden={sentences.length === 0}>{sentences.join(' ')}</p>
    </footer>
  );
}
