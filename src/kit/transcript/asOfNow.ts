import { asObject } from '../../backend/protocol.js';

/** Keys that say when a thing was made or is due; the others are records of the past. */
const MOVING = new Set(['timestamp', 'original_timestamp', 'completed_at', 'send_at', 'schedule_time']);

/** What differs between then and now. */
interface Difference {
  /** How long ago it was, in ms. */
  readonly ms: number;
  /** The names of then, each with that of now: conversations, people and messages. */
  readonly names?: ReadonlyMap<string, string>;
}

/** A copy of a JSON value of then with the times and names of now. */
export function asOfNow(value: unknown, difference: Difference, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => asOfNow(item, difference, key));
  const object = asObject(value);
  if (object !== undefined) {
    return Object.fromEntries(
      Object.entries(object).map(([name, item]) => [name, asOfNow(item, difference, name)]),
    );
  }
  if (typeof value !== 'string') return value;
  const then = MOVING.has(key) ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(then)) return new Date(then + difference.ms).toISOString();
  return difference.names?.get(value) ?? value;
}
