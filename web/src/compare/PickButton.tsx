import type { ComponentChildren } from 'preact';
import type { Winner } from '../api/types';
import { canPick, type Session } from './session';

interface PickButtonProps {
  session: Session;
  winner: Winner;
  pick: (winner: Winner) => void;
  /** The key that has the same effect. */
  shortcut?: string;
  children: ComponentChildren;
}

/** Picks an answer, a tie or none. It can still have the focus when the pick is made, but has no effect any more. */
export function PickButton({ session, winner, pick, shortcut, children }: PickButtonProps) {
  const over = session.pick !== null;
  return (
    <button
      type="button"
      class="button"
      aria-pressed={session.pick === winner}
      aria-keyshortcuts={shortcut}
      aria-disabled={over}
      disabled={!over && !canPick(session, winner)}
      onClick={() => pick(winner)}
    >
      {children}
    </button>
  );
}
