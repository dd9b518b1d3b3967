/**
 * The size of a test, or what it tries: `npm run test:long` takes the full one, and all of `*.long.test.ts`; `npm test` one
 * that guards the same in less time.
 */
export function sized<T>(usual: T, full: T): T {
  return process.env.TEST_LONG === undefined ? usual : full;
}
