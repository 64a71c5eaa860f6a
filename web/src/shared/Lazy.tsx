import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

type Loaded = ComponentType | 'loading' | 'failed';

/** A view whose code is loaded when a visitor first opens it. */
export function Lazy({ load }: { load: () => Promise<{ default: ComponentType }> }) {
  const [View, setView] = useState<Loaded>('loading');
  useEffect(() => {
    let gone = false;
    const show = (loaded: Loaded) => {
      if (!gone) setView(() => loaded);
    };
    load().then(
      (module) => show(module.default),
      () => show('failed'),
    );
    return () => {
      gone = true;
    };
  }, [load]);
  if (View === 'loading') return <p class="loading" aria-busy="true" />;
  if (View === 'failed') return <NotLoaded />;
  return <View />;
}

// There is no connection, or a newer version is deployed and its files have other names.
function NotLoaded() {
  return (
    <p class="note trouble" role="status">
      This view could not be loaded.{' '}
      <button type="button" class="text-button" onClick={() => location.reload()}>
        Load the page again
      </button>
    </p>
  );
}
