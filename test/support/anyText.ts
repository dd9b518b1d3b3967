import fc, { type StringConstraints } from 'fast-check';

const SURROGATES = { from: 0xd800, count: 0x800 };

/** Every code point but surrogates, numbered without a gap. */
const codePoint = fc.nat({ max: 0x10ffff - SURROGATES.count }).map(
  (number) => String.fromCodePoint(number < SURROGATES.from ? number : number + SURROGATES.count),
  (value) => {
    const point = typeof value === 'string' ? value.codePointAt(0) : undefined;
    if (point === undefined || String.fromCodePoint(point) !== value || !value.isWellFormed())
      throw new Error('not one code point');
    return point < SURROGATES.from ? point : point - SURROGATES.count;
  },
);

/**
 * Strings of any code points. They are those of `unit: 'binary'`, for which fast-check makes a table of a million entries in each
 * process: a second, and 110 MB.
 */
export function anyText(constraints: Omit<StringConstraints, 'unit'> = {}): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit: codePoint });
}
