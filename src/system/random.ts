import { randomBytes, randomUUID } from 'node:crypto';

/** Chance: a number in [0, 1). Injected wherever it decides something, so that tests can. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

/** A fresh id with a prefix that says what it names: `evt_3f2a…`. Unguessable, unique for ever. */
export function freshId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`;
}

/** Drawn ahead, because asking for each few takes as long as storing a command. Each byte is given once. */
const AHEAD_BYTES = 1024;
let ahead = Buffer.alloc(0);
let given = 0;

/** `bytes` random bytes in hex. */
export function randomHex(bytes: number): string {
  if (given + bytes > ahead.length) {
    ahead = randomBytes(Math.max(AHEAD_BYTES, bytes));
    given = 0;
  }
  const from = given;
  given += bytes;
  return ahead.toString('hex', from, given);
}
