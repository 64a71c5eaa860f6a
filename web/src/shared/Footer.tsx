import { simulatedVendors } from './simulated';
import { useStore } from './store';

/** Says when models are simulated. Its space is reserved, so that nothing moves when the banner comes. */
export function Footer() {
  const vendors = useStore(simulatedVendors);
  return (
    <footer class="footer">
      <p class="simulated" hidden={vendors.length === 0}>
        <strong>The models are simulated.</strong> With an API key of their vendor ({vendors.join(' or ')}) in the
        environment, the real ones answer.
      </p>
    </footer>
  );
}
