/** Whether this device is on a network, as far as the browser knows. */

import { Store } from './store';

export const online = new Store(true);

export function followConnection(): void {
  const read = () => {
    online.value = navigator.onLine;
  };
  addEventListener('online', read);
  addEventListener('offline', read);
  read();
}
