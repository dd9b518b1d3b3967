import { InvalidArgumentError } from 'commander';

/** Reads the value of an option that is a count: 0 or more. */
export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is not a whole number.');
}
