/** A cloud with quotation marks: favicon.svg in the page's own colours. */
export function Logo() {
  return (
    <svg class="logo" viewBox="1 3 30 26" width="36" height="32" aria-hidden="true">
      <path fill="var(--accent)" d="M9 27a7.5 7.5 0 0 1-1.2-14.9 9 9 0 0 1 17.2-.6A7.9 7.9 0 0 1 23.6 27z" />
      <path
        fill="var(--on-accent)"
        d="M10.5 21.5v-3.7q0-3.5 3.7-4.3l.5 1.5q-1.7.6-1.8 2.3h1.9v4.2zM17.5 21.5v-3.7q0-3.5 3.7-4.3l.5 1.5q-1.7.6-1.8 2.3h1.9v4.2z"
      />
    </svg>
  );
}
