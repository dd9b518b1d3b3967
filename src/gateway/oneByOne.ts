import { isUnavailability } from './agents/unavailability.js';

/**
 * Does one thing after the other; one that fails keeps none of the others from being done. Rejects behind all of them as the first one that
 * failed; at once where it is the database that fails, which all others would meet too.
 */
export async function oneByOne<T>(things: Iterable<T>, work: (thing: T) => Promise<void>): Promise<void> {
  const faults: unknown[] = [];
  for (const thing of things) {
    try {
      await work(thing);
    } catch (fault) {
      if (isUnavailability(fault)) throw fault;
      faults.push(fault);
    }
  }
  if (faults.length > 0) throw faults[0];
}
