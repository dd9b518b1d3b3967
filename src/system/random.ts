import { randomBytes, randomUUID } from 'node:crypto';

/** Chance: a number in [0, 1). Injected wherever it decides something, so that tests can. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

/** A fresh id with a prefix that says what it names: `evt_3f2a…`. Unguessable, unique for ever. */
export function freshId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`;
}

/** `bytes` random bytes in hex. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
