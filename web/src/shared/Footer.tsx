import { simulated } from './simulated';
import { useStore } from './store';

/** The quiet banner: its room is always there, so that nothing moves when it turns out to be needed. */
export function Footer() {
  const shown = useStore(simulated);
  return (
    <footer class="footer">
      <p class="simulated" hidden={!shown}>
        <strong>The models are simulated.</strong> With a vendor’s API key in the environment, the real ones answer.
      </p>
    </footer>
  );
}
