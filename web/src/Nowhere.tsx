import { addressOf } from './routes';

/** What an address shows that leads nowhere. */
export function Nowhere() {
  return (
    <article class="nowhere">
      <h1>This page is like a spot instance</h1>
      <p>
        It may have been here once, and nobody can say when it will be back. The address is wrong, or no longer right.
      </p>
      <p>
        <a class="button primary" href={addressOf('sayings')}>
          Read a saying instead
        </a>
      </p>
    </article>
  );
}
