import type { FeedbackType } from '../api/types';

/** A thumb up or down with a name for screen readers. Drawn, because not every device has such characters in colour. */
export function Thumb({ type, name }: { type: FeedbackType; name: string }) {
  return (
    <svg class="thumb" data-type={type} viewBox="0 0 24 24" role="img" aria-label={name}>
      <path d="M3 10.5h3.5V20H3zM6.5 11l4-8c1.8 0 2.8 1.3 2.4 3.1L12.2 9h6.3a2 2 0 0 1 2 2.4l-1.4 7A2 2 0 0 1 17.1 20H6.5" />
    </svg>
  );
}
