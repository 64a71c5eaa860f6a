import type { ComponentChildren } from 'preact';
import { ModelShape } from '../shared/ModelShape';
import { Services } from './Services';

// The greatest number of characters for each size of type.
const SHORT = 90;
const MEDIUM = 170;

interface QuotationProps {
  services: readonly string[];
  saying: string;
  /** Who wrote it, as the visitor may know it. */
  author: string;
  /** Which model that is; null when none wrote it, or when the visitor does not know. */
  model: string | null;
}

/** A saying in large type. What is replaced is announced: with another saying all parts, with the reveal the author. */
export function Quotation({ services, saying, author, model }: QuotationProps) {
  return (
    <>
      <Services names={services} />
      <blockquote class="saying" dir="auto" data-length={lengthOf(saying)}>
        {saying}
      </blockquote>
      <figcaption class="about" key={author}>
        <p class="source">
          <ModelShape model={model} />
          {author}
        </p>
      </figcaption>
    </>
  );
}

/** What stands in the place of a saying before there is one. */
export function Nothing({ children }: { children?: ComponentChildren }) {
  return (
    <>
      <p class="services" />
      <p class="saying" data-length="short">
        {children}
      </p>
    </>
  );
}

function lengthOf({ length }: string): 'short' | 'medium' | 'long' {
  if (length <= SHORT) return 'short';
  return length <= MEDIUM ? 'medium' : 'long';
}
