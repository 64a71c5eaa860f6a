import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface PanelProps {
  title: string;
  lede: ComponentChildren;
  /** Two figures that stand side by side where there is room. */
  pair?: boolean;
  children: ComponentChildren;
}

/** A question the data answer, with its figures. */
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
