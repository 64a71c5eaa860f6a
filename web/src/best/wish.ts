/** Which list of sayings an address of the view asks for. */

import type { SayingOrder } from '../api/types';
import { addressOf } from '../routes';

/** Without a service or a model, empty here, the list has the sayings of all. */
export interface Wish {
  order: SayingOrder;
  service: string;
  model: string;
}

export function wishOf(query: string): Wish {
  const asked = new URLSearchParams(query);
  return {
    order: asked.get('order') === 'new' ? 'new' : 'top',
    service: asked.get('service') ?? '',
    model: asked.get('model') ?? '',
  };
}

/** The view's own address for a list. */
export function addressOfWish(wish: Wish): string {
  const query = queryOf({ ...wish, order: wish.order === 'top' ? '' : wish.order });
  return addressOf('best') + query;
}

/** The request for a page of a list: the first one, or the one at a cursor that came with the page before. */
export function requestOf(wish: Wish, cursor: string | null): string {
  return `/sayings/best${queryOf({ ...wish, after: cursor ?? '' })}`;
}

function queryOf(parts: Record<string, string>): string {
  const query = new URLSearchParams(Object.entries(parts).filter(([, value]) => value !== '')).toString();
  return query && `?${query}`;
}
