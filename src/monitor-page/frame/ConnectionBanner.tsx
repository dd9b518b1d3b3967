import { useEffect, useState } from 'preact/hooks';
import type { ConnectionState } from '../../monitor-client/index.js';
import { useNow } from '../useNow.js';

/** Says that what is shown is no longer live, why, and when it is tried again. Nothing while it is live. */
export function ConnectionBanner({
  connection,
  onRetry,
}: {
  connection: ConnectionState;
  onRetry: () => void;
}) {
  const [lost, setLost] = useState<{ why: string; retryAt: number } | null>(null);
  useEffect(() => {
    if (connection.name === 'online') setLost(null);
    if (connection.name === 'waiting')
      setLost({ why: connection.why, retryAt: Date.now() + connection.retryMs });
  }, [connection]);
  const now = useNow(500);
  if (lost === null) return null;
  const seconds = Math.max(1, Math.ceil((lost.retryAt - now) / 1000));
  return (
    <div class="banner" role="status">
      <span class="grow">
        <strong>Disconnected.</strong> {lost.why}. What you see is from before.
      </span>
      <span class="soft" aria-hidden="true">
        {connection.name === 'connecting' ? 'Connecting…' : `Next attempt in ${seconds} s`}
      </span>
      <button type="button" disabled={connection.name === 'connecting'} onClick={onRetry}>
        Try now
      </button>
    </div>
  );
}
