import type { RowOrder } from './cursor.js';
import { type ClockRange, UNKNOWN_CLOCK } from './macClock.js';
import type { ForgottenTexts, GapEnd, WitnessRecord } from './Witness.js';

/**
 * What a store records of itself: a random id, the file that it was last opened as (`inode:birth time`), and a counter that grows
 * with each start, stop, attempt to send, ack and every 30 s. A copy that is put back later has a lower one.
 */
export interface Lineage {
  id: string;
  file: string;
  counter: number;
}

/**
 * How the store relates to what was done on this Mac. `older`: more was done than the store records. `copied`: it is
 * another file than before, and it is not known what was done since. `replaced`: another state directory was in use
 * since. `rebuilt`: a damaged file was salvaged. `new`: an empty store without a sign of an earlier one.
 */
export type GapReason = 'older' | 'copied' | 'replaced' | 'rebuilt' | 'new';

/**
 * A period for which the send ledger is incomplete: an unknown row of chat.db from then may be a text of the agent.
 * Rows after `afterRow` (in that generation of chat.db, while no ROWIDs were reassigned since `movedAt`), else after
 * `from`, up to `until`; regardless of date, up to `untilRow`, the newest one when the gap was found, null while that
 * is not known. Times are Unix ms; null: from the beginning.
 */
export interface LedgerGap extends RowOrder, GapEnd {
  reason: GapReason;
  afterRow: number | null;
  untilRow: number | null;
  from: number | null;
  /** When it was found: from then on this store is at work, and a backend offers again what it has no ack of. */
  foundAt: number;
  /** When the store was salvaged last before that, as its report has it; null: never. Undefined: found by an earlier version. */
  salvagedAt?: number | null;
  /** Texts after this seq belong to no command that a backend offered again after that; null: it may still offer some. */
  offeredUpTo: number | null;
  /** The store had the texts up to this seq when it was found; it was given those behind it since. */
  knownSends: number;
  /** Above all revisions of acks that may have been given before it. */
  revisions: number;
  /** Until when an agent is known to have been running; null: not known. */
  activeUntil: number | null;
  /** The latest time that its clock showed, which may have been set back since; null: not known. */
  shownUntil: number | null;
  /** By what clock the forgotten agents sent, and rows of the gap are dated. */
  clock: ClockRange;
  /** When the restored store was last in use itself; null: not known. */
  copiedAt: number | null;
  /** Whether the rows are noted that chat.db had then and the store did not know (`GapRow`). Nothing is compared before. */
  areRowsNoted: boolean;
  /** Which messages were answered by agents that the store forgot, for each time that it was put back; null: not known. */
  answered: readonly ForgottenAnswers[] | null;
  /** The texts that agents had begun to send when they ended, that had no row in chat.db yet, and that no text of the store is. */
  begun: readonly ForgottenTexts[];
}

/**
 * The marks of the messages that had been begun to be answered when the store was put back, but those of an earlier time: among them
 * are all of which it does not know that.
 */
interface ForgottenAnswers {
  /** The store had the texts up to this seq. */
  knownSends: number;
  marks: readonly string[];
}

/**
 * An outgoing row of chat.db that the store had neither judged nor recorded as a proof when a gap was found. It belongs
 * to the gap whatever its date, because the clock may have been wrong when it was written.
 */
export interface GapRow {
  guid: string;
  /** Unix ms. */
  sentAt: number | null;
  /** The store had the texts up to this seq when it did not know the row yet: it was written after each of them was stored. */
  knownSends: number;
  /** Its date is from before the store was last at work: the clock was behind in the gap. */
  isBackdated: boolean;
  /** Another store was at work then, which may never have had what this one had; left out: a later state of this one. */
  isOfAnother?: boolean;
}

export type Standing =
  | { kind: 'current' }
  | { kind: 'gap'; reason: GapReason; activeUntil: number | null; directory: string | null };

/** The rule: whether a store knows everything that was done. `own` is undefined for one that has never recorded itself. */
export function standingOf(seen: {
  own: Lineage | undefined;
  /** The file that the store is now. */
  file: string;
  /** Undefined: there is none, or it was copied or restored itself and proves nothing. */
  witness: WitnessRecord | undefined;
  /** Nothing was ever stored in it. */
  isEmpty: boolean;
  isRebuilt: boolean;
}): Standing {
  const { own, file, witness, isEmpty, isRebuilt } = seen;
  const gap = (reason: GapReason, known?: WitnessRecord): Standing => ({
    kind: 'gap',
    reason,
    activeUntil: known?.aliveAt ?? null,
    directory: known?.directory ?? null,
  });
  if (isRebuilt) return gap('rebuilt', witness);
  if (witness !== undefined && witness.store !== own?.id) return gap('replaced', witness);
  if (own === undefined) return isEmpty ? gap('new') : { kind: 'current' };
  if (witness !== undefined)
    return witness.counter > own.counter ? gap('older', witness) : { kind: 'current' };
  return own.file === file ? { kind: 'current' } : gap('copied');
}

/** The fields of a row of chat.db that decide whether it is in a gap. `sentAt` is Unix ms. */
export interface DatedRow {
  guid: string;
  rowId: number;
  sentAt: number | null;
}

function isSameOrder(gap: LedgerGap, order: RowOrder): boolean {
  return gap.generation === order.generation && gap.movedAt === order.movedAt;
}

/** Up to which row of the open chat.db the position decides about the gap, regardless of the date; 0: none. */
export function newestRowOf(gap: LedgerGap, order: RowOrder): number {
  return isSameOrder(gap, order) ? (gap.untilRow ?? 0) : 0;
}

/** Whether the position or the date of a row shows that it is in the gap. `order` is that of the open chat.db. */
export function isInGap(gap: LedgerGap, { rowId, sentAt }: Omit<DatedRow, 'guid'>, order: RowOrder): boolean {
  if (sentAt === null) return false;
  // A clock that was ahead dates rows of the gap behind its end.
  const isBefore = sentAt <= gap.until || rowId <= newestRowOf(gap, order);
  if (!isBefore) return false;
  if (gap.afterRow !== null && isSameOrder(gap, order)) return rowId > gap.afterRow;
  return gap.from === null || sentAt > gap.from;
}

/** What gaps of earlier versions lack: they say nothing of it. */
const EARLIER_GAP = {
  untilRow: null,
  movedAt: null,
  knownSends: 0,
  foundAt: 0,
  revisions: 0,
  copiedAt: null,
  offeredUpTo: null,
  areRowsNoted: true,
  answered: null,
  begun: [],
  shownUntil: null,
  clock: UNKNOWN_CLOCK,
} as const;

const SINCE_EVER = {
  reason: 'rebuilt',
  generation: null,
  afterRow: null,
  from: null,
  activeUntil: null,
} as const;

/** A gap as it was stored. One that cannot be read (undefined) is since ever: any time up to now may be of it. */
export function storedGap(stored: LedgerGap | undefined, now: number): LedgerGap {
  return { ...EARLIER_GAP, ...(stored ?? { ...SINCE_EVER, until: now }) };
}
