const SECTIONS = [
  ['price', 'Price'],
  ['days', 'Day by day'],
  ['latency', 'Latency'],
  ['approval', 'Approval'],
  ['comparisons', 'Side by side'],
  ['length', 'Length'],
  ['failures', 'Failures'],
  ['cost', 'Cost'],
  ['services', 'Services'],
  ['hours', 'The last day'],
  ['method', 'How we count'],
] as const;

/** Links to the sections of the dashboard. The one about length is not always there. */
export function Contents({ hasLength }: { hasLength: boolean }) {
  const shown = SECTIONS.filter(([id]) => id !== 'length' || hasLength);
  return (
    <nav class="contents" aria-label="Sections">
      {shown.map(([id, name]) => (
        <a key={id} href={`#${id}`}>
          {name}
        </a>
      ))}
    </nav>
  );
}
