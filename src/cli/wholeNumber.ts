import { InvalidArgumentError } from 'commander';

/** Reads the value of an option that is a count: 0 or more. */
export const wholeNumber = wholeNumberFrom(0);

const MOST = 999_999_999;

/** Reads the value of an option that is a whole number within these limits, both of which count. */
export function wholeNumberFrom(least: number, most?: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= (most ?? MOST)) return value;
    const limits = most === undefined ? `, ${least} or more` : ` from ${least} to ${most}`;
    throw new InvalidArgumentError(`Expected a whole number${limits}.`);
  };
}
