import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface PanelProps {
  /** Its place in the address of the page. */
  id?: string;
  title: string;
  lede: ComponentChildren;
  /** Whether its two figures are side by side on wide screens. */
  pair?: boolean;
  children: ComponentChildren;
}

/** One question with the figures that answer it. */
export function Panel({ id, title, lede, pair = false, children }: PanelProps) {
  const heading = useId();
  return (
    <section class="card panel" id={id} aria-labelledby={heading}>
      <h2 id={heading}>{title}</h2>
      <p class="note lede">{lede}</p>
      <div class={pair ? 'pair' : undefined}>{children}</div>
    </section>
  );
}
