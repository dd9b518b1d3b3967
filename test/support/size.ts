/** The size of a test: `npm run test:long` takes the full one, `npm test` one that guards the same in less time. */
export function sized(usual: number, full: number): number {
  return process.env.TEST_LONG === undefined ? usual : full;
}
