import type { Mark } from './marks';

const PATHS: Record<Mark['shape'], string> = {
  circle: 'M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10z',
  square: 'M1.5 1.5h9v9h-9z',
  triangle: 'M6 .8 11.4 10.6H.6z',
  diamond: 'M6 0 10 6 6 12 2 6z',
};

/** A model's shape in its colour, to place beside its name. */
export function Shape({ mark }: { mark: Mark }) {
  return (
    <svg class="shape" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <path fill={mark.colour} d={PATHS[mark.shape]} />
    </svg>
  );
}
