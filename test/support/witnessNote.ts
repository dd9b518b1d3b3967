/** What the witness of a store called `store_1` has recorded. */
export const WITNESS = {
  store: 'store_1',
  counter: 5,
  aliveAt: 1_000,
  directory: '/state',
  revisions: 0,
  begun: [],
  clocks: [],
};
