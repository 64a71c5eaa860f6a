import { useEffect, useRef, useState } from 'preact/hooks';
import { TroubleNote } from '../../shared/TroubleNote';
import type { FeedState } from '../feed';
import { clock } from '../figures';

/** Of when the figures are, a button for newer ones, and what keeps newer ones away. */
export function Freshness({ state, refresh }: { state: FeedState; refresh: () => void }) {
  const { stats, trouble, loading } = state;
  return (
    <div class="freshness">
      <p class="note">
        {stats && (
          <>
            As of <time dateTime={stats.generatedAt}>{clock(stats.generatedAt)}</time>.
          </>
        )}{' '}
        <button type="button" class="text-button" aria-disabled={loading} onClick={refresh}>
          {loading ? 'Fetching…' : stats ? 'Refresh' : 'Try again'}
        </button>
      </p>
      <div role="status">
        {stats?.stale && !trouble && (
          <p class="note trouble">The server cannot read its votes at the moment: these figures are from before.</p>
        )}
        {trouble && <TroubleNote trouble={trouble} prefix={stats ? 'There are no newer figures:' : ''} />}
        <Told state={state} />
      </div>
    </div>
  );
}

/** Who asked for newer figures hears when they are there; those that come by themselves say nothing. */
function Told({ state: { stats, trouble, loading } }: { state: FeedState }) {
  const [told, tell] = useState('');
  const asked = useRef(false);
  useEffect(() => {
    if (loading) {
      asked.current = document.activeElement?.closest('.freshness') != null;
      tell('');
    } else if (stats && !trouble && asked.current) tell(`Figures as of ${clock(stats.generatedAt)}.`);
  }, [stats, trouble, loading]);
  return <p class="unseen">{told}</p>;
}
