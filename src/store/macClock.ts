import { z } from 'zod';

/** Times differ by less than this, in ms, while the clock is not set: it drifts, and the backend's time is known to half a second. */
export const SAME_CLOCK_MS = 1_000;
/** So many entries are kept, because the witness has room for no more: the oldest two become one. */
const MOST = 8;

/**
 * What the clock of this Mac showed while texts were sent, because rows of chat.db are dated by it: from which counter of the store on
 * (`Lineage`) it was so far behind the backend's, in ms (negative: ahead). None: not known; two: something between these.
 */
export const clockRecordSchema = z.array(z.tuple([z.int(), z.array(z.int()).readonly()]));

export type ClockRecord = z.infer<typeof clockRecordSchema>;

/** How far the backend's clock is ahead of this Mac's, in ms (negative: behind), and whether at least two of its answers agree on that. */
export interface ClockSkew {
  ms: number;
  isCertain: boolean;
}

/** How far it was behind in a period, in ms: the least and the most, as far as it is known; `isWhole`: it is, for all of the period. */
export interface ClockRange {
  behindMs: readonly number[];
  isWhole: boolean;
}

export const UNKNOWN_CLOCK: ClockRange = { behindMs: [], isWhole: false };

/** The same when an agent starts, before it knows the backend's time. If the one before never knew it, what was before is not all known. */
export function clocksAtStart(known: ClockRecord, counter: number): ClockRecord {
  if (known.at(-1)?.[1].length !== 0) return newest([...known, [counter, []]]);
  const behindMs = allOf(known);
  return [...(behindMs.length === 0 ? [] : [[counter, behindMs] as ClockRecord[number]]), [counter, []]];
}

/** What another store recorded, for a store that has its place from now on: whatever is put back, it may lack that. */
export function clocksOfAnother(known: ClockRecord): ClockRecord {
  if (known.length === 0) return [];
  const isWhole = known.at(-1)?.[1].length !== 0;
  return [[0, allOf(known)], ...(isWhole ? [] : [[0, []] as ClockRecord[number]])];
}

/**
 * The same once this is found at this counter. What was not known since the start was that as well, but for `setMs`: by so much the clock was
 * set meanwhile, at the least and at the most. After a sleep the clock seems to be ahead, so that is believed only once it is certain.
 */
export function withClock(
  known: ClockRecord,
  counter: number,
  skew: ClockSkew | null,
  setMs: readonly number[] = [],
): ClockRecord {
  const [since, last] = known.at(-1) ?? [counter, []];
  if (skew === null) return known;
  const ms = Math.round(skew.ms);
  if (last.length === 0) {
    const before = known.slice(0, -1);
    const wasSet = setMs.filter((by) => Math.abs(by) >= SAME_CLOCK_MS).map((by) => ms + Math.round(by));
    if (wasSet.length > 0) return newest([...before, [since, extremes([ms, ...wasSet])]]);
    return isSame(before.at(-1)?.[1], ms) ? before : newest([...before, [since, [ms]]]);
  }
  if (isSame(last, ms) || (ms < Math.min(...last) && !skew.isCertain)) return known;
  return newest([...known, [counter, [ms]]]);
}

/** What it showed after this counter; undefined: ever. */
export function clockSince(known: ClockRecord, counter = 0): ClockRange {
  const first = counter === 0 ? 0 : known.findLastIndex(([since]) => since <= counter + 1);
  const entries = known.slice(Math.max(first, 0));
  const isFromStart = (entries[0]?.[0] ?? Number.POSITIVE_INFINITY) <= counter + 1;
  return {
    behindMs: allOf(entries),
    isWhole: isFromStart && entries.every(([, behindMs]) => behindMs.length > 0),
  };
}

/** The same of two periods. */
export function eitherClock(one: ClockRange, other: ClockRange): ClockRange {
  return {
    behindMs: extremes([...one.behindMs, ...other.behindMs]),
    isWhole: one.isWhole && other.isWhole,
  };
}

function allOf(known: ClockRecord): readonly number[] {
  return extremes(known.flatMap(([, behindMs]) => behindMs));
}

function extremes(values: readonly number[]): readonly number[] {
  return values.length === 0 ? [] : [...new Set([Math.min(...values), Math.max(...values)])];
}

function isSame(one: readonly number[] | undefined, other: number): boolean {
  const [value] = one ?? [];
  return one?.length === 1 && value !== undefined && Math.abs(value - other) < SAME_CLOCK_MS;
}

function newest(record: ClockRecord): ClockRecord {
  const [first, second, ...rest] = record;
  if (record.length <= MOST || first === undefined || second === undefined) return record;
  return [[first[0], extremes([...first[1], ...second[1]])], ...rest];
}
