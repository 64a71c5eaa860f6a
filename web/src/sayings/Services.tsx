import { addressOf } from '../routes';

/** The services that a saying is about. Each leads to its best sayings. */
export function Services({ names }: { names: readonly string[] }) {
  return (
    <p class="services">
      {names.map((name) => (
        <a key={name} href={`${addressOf('best')}?service=${encodeURIComponent(name)}`}>
          {name}
        </a>
      ))}
    </p>
  );
}
