import { Icon } from './Icon.js';

/** Shows texts and numbers whole, or hides them, on every view. */
export function TextsSwitch({
  reveals,
  onReveal,
}: {
  reveals: boolean;
  onReveal: (reveals: boolean) => void;
}) {
  return (
    <button
      type="button"
      class="switch"
      role="switch"
      aria-checked={reveals}
      onClick={() => onReveal(!reveals)}
    >
      <Icon name="eye" />
      <span>Show texts</span>
    </button>
  );
}
