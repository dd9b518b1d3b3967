import { EdgeError } from '../errors.js';

/** A text that a verb cannot do without. Throws EdgeError `invalid_payload`; `expected` says what it should be. */
export function neededText(value: unknown, name: string, expected: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new EdgeError('invalid_payload', `${name}: expected ${expected}.`, `Give ${name} as a text.`);
}
