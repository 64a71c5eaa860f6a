import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface PanelProps {
  title: string;
  lede: ComponentChildren;
  /** Whether its two figures are side by side on wide screens. */
  pair?: boolean;
  children: ComponentChildren;
}

/** One question with the figures that answer it. */
export function Panel({ title, lede, pair = false, children }: PanelProps) {
  const id = useId();
  return (
    <section class="card panel" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p class="note lede">{lede}</p>
      <div class={pair ? 'pair' : undefined}>{children}</div>
    </section>
  );
}
