import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

type Loaded = ComponentType | 'loading' | 'failed';

/** A view that is loaded when somebody first goes there. */
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
  if (View === 'loading') return <p class="note" aria-busy="true" />;
  if (View === 'failed') return <NotLoaded />;
  return <View />;
}

// No connection, or a newer version on the server that has other files.
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
