import type { MonitorError } from '../../monitor-client/index.js';

/** Why something could not be had, what to do, and a button that does it. */
export function Fault({ error, onAgain }: { error: MonitorError; onAgain: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>{error.message}</strong> {error.remedy}
      </p>
      <button type="button" onClick={onAgain}>
        Ask again
      </button>
    </div>
  );
}
