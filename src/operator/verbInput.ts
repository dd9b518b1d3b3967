import { EdgeError } from '../errors.js';
import { maskHandle } from '../logging/mask.js';

/** A text that a verb cannot do without. Throws EdgeError `invalid_payload`; `expected` says what it should be. */
export function neededText(value: unknown, name: string, expected: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new EdgeError('invalid_payload', `${name}: expected ${expected}.`, `Give ${name} as a text.`);
}

/** A handle for display: in full only if texts are requested (`texts` is true), which need as much trust. */
export function shownHandle(handle: string, texts: unknown): string {
  return texts === true ? handle : maskHandle(handle);
}
