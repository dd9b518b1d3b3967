import { Icon } from '../pieces/Icon.js';
import type { Toast } from '../useToasts.js';

/** Temporary notices in a corner. */
export function Toasts({ toasts, onDismiss }: { toasts: readonly Toast[]; onDismiss: (id: number) => void }) {
  return (
    <section class="toasts" aria-label="Notices" aria-live="polite">
      {toasts.map(({ id, level, message }) => (
        <div key={id} class={`toast ${level}`}>
          <p>{message}</p>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => onDismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </section>
  );
}
