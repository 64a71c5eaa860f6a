import type { SayingAnswer } from '../api/types';
import { details } from './words';

/** What only the curious want to know of the answer that brought the saying. */
export function Details({ answer }: { answer: SayingAnswer }) {
  return (
    <details class="details">
      <summary>Details</summary>
      <dl>
        {details(answer).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
