import { useEffect, useRef, useState } from 'preact/hooks';
import { TroubleNote } from '../../shared/TroubleNote';
import type { FeedState } from '../feed';
import { clock } from '../figures';

/** The time of the figures, a button that fetches newer ones, and why there are none. */
export function Freshness({ state, refresh }: { state: FeedState; refresh: () => void }) {
  const { stats, trouble, loading } = state;
  return (
    <div class="freshness">
      <p class="note">
        {stats && (
          <>
            As of <time dateTime={stats.generatedAt}>{clock(stats.generatedAt)}</time>. A vote is counted here within
            two minutes.
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
        {trouble && (
          <TroubleNote
            trouble={trouble}
            prefix={stats ? 'There are no newer figures:' : ''}
            again={state.retryAt !== null}
            at={state.retryAt}
          />
        )}
        <Announcement state={state} />
      </div>
    </div>
  );
}

/** Announces newer figures to screen readers when the visitor asked for them, and not when they come by themselves. */
function Announcement({ state: { stats, trouble, loading } }: { state: FeedState }) {
  const [words, setWords] = useState('');
  const asked = useRef(false);
  useEffect(() => {
    if (loading) {
      asked.current = document.activeElement?.closest('.freshness') != null;
      setWords('');
    } else if (stats && !trouble && asked.current) setWords(`Figures as of ${clock(stats.generatedAt)}.`);
  }, [stats, trouble, loading]);
  return <p class="unseen">{words}</p>;
}
