import { useNow } from '../../monitor-page/useNow.js';
import type { LiveState } from '../LiveEvents.js';

/** Says that what is shown is not live any more, why, and when it is tried again. Nothing while it is live. */
export function LiveBanner({ live, onRetry }: { live: LiveState; onRetry: () => void }) {
  const now = useNow(500);
  if (live.name !== 'lost') return null;
  return (
    <div class="banner" role="status">
      <span class="grow">
        <strong>Disconnected.</strong> {live.why} What you see may be from before.
      </span>
      {live.retryAt !== null && (
        <>
          <span class="soft" aria-hidden="true">
            Next attempt in {Math.max(1, Math.ceil((live.retryAt - now) / 1000))} s
          </span>
          <button type="button" onClick={onRetry}>
            Try now
          </button>
        </>
      )}
    </div>
  );
}
