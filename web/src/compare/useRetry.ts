import { useEffect } from 'preact/hooks';
import { online } from '../shared/connection';
import { useStore } from '../shared/store';
import type { Session } from './session';
import { sessions } from './sessions';

/** Asks again when it is time, while the visitor looks at the page and the device is online. */
export function useRetry({ retryAt }: Session): void {
  const isOnline = useStore(online);
  useEffect(() => {
    if (retryAt === null || !isOnline) return;
    const retry = () => {
      if (!document.hidden && Date.now() >= retryAt) void sessions.retry();
    };
    const timer = setTimeout(retry, retryAt - Date.now());
    document.addEventListener('visibilitychange', retry);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', retry);
    };
  }, [retryAt, isOnline]);
}
