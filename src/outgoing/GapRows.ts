import type { RowPlace, RowsWithin, SendRecord, SentRow, SentRows } from '../model/sending.js';
import { type GapRow, type LedgerGap, newestRowOf } from '../store/ledgerGap.js';
import type { Store } from '../store/Store.js';
import { knownRows } from './SendVerifier.js';

/**
 * The cause of a text, which is not before it (Unix ms). `row`: after this row of chat.db, the message that it answers. `copied`: in front
 * of this row, which iCloud wrote again after the answer to it. `message`: the message was written. `time`: the schedule fell due, which the
 * backend made at `madeAt` by its clock, or the text was stored. `made`: the backend made the command, at `madeAt` by its clock; by ours, as rows of the gap are dated, not before `at`
 * and not after `atMost`. `unknown`: a command without a time.
 */
export type Cause =
  | { kind: 'row' | 'copied'; rowId: number; at: number }
  | { kind: 'message'; at: number }
  | { kind: 'time'; at: number; madeAt?: number | null | undefined }
  | MadeCause
  | { kind: 'unknown' };

export interface MadeCause {
  kind: 'made';
  at: number;
  atMost: number;
  madeAt: number;
}

/** For a text without a known time, rows are read back this far, in ms. */
export const LOOK_BACK_MS = 86_400_000;

/** So many characters of rows are remembered at most. */
const MOST_REMEMBERED = 2_000_000;

/** Rows that have settled, so that each is read once and not for each text. */
class SettledRows {
  private readonly rows = new Map<string, SentRow>();
  private order = '';
  private characters = 0;

  /** Forgets all once the order of ROWIDs is another. */
  keepWhile(order: string): void {
    if (order === this.order) return;
    this.order = order;
    this.forget();
  }

  forget(): void {
    this.rows.clear();
    this.characters = 0;
  }

  /** The row, unless Messages has written to it since. */
  get({ guid, rowId, sentAt, error }: RowPlace): SentRow | undefined {
    const row = this.rows.get(guid);
    return row?.rowId === rowId && row.sentAt === sentAt && row.error === error ? row : undefined;
  }

  /** Of a row that may yet settle, or beyond what is remembered, it keeps nothing. */
  add(row: SentRow): void {
    const { guid } = row;
    const characters = this.characters + sizeOf(row) - sizeOf(this.rows.get(guid));
    if (row.isUndecided === true || row.conversation === null || characters > MOST_REMEMBERED) return;
    this.characters = characters;
    this.rows.set(guid, row);
  }
}

function sizeOf(row: SentRow | undefined): number {
  return row === undefined ? 0 : row.guid.length + row.text.length;
}

/** The rows of chat.db that may be texts of a gap in the ledger: which agent wrote them is not known. */
export class GapRows {
  private readonly settled = new SettledRows();

  constructor(
    private readonly store: Store,
    private readonly rows: SentRows,
  ) {
    // A group that got another name: its rows have that name too.
    store.onRekeyed(() => this.settled.forget());
  }

  /**
   * Rows of the gap in a conversation that prove nothing else, the oldest first: by their positions, or by
   * their dates if ROWIDs were reassigned; noted rows by their guids, whatever their dates. Undefined while
   * chat.db cannot be read, or has not been readable since the gap was found.
   */
  inGap(
    send: Pick<SendRecord, 'seq' | 'conversation' | 'text' | 'file'>,
    cause: Cause,
    gap: LedgerGap,
  ): readonly SentRow[] | undefined {
    const { seq, conversation } = send;
    const { lineage } = this.store;
    const position = this.rows.position();
    if (position === undefined || !gap.areRowsNoted) return undefined;
    const comesUntil = lineage.rowComesUntil(send) ?? gap.until;
    const until = Math.max(gap.until, comesUntil);
    const isInTime = (row: SentRow) =>
      lineage.isInGap(row, position) ||
      (row.sentAt !== null && row.sentAt > gap.until && row.sentAt <= comesUntil);
    this.settled.keepWhile(`${position.generation} ${position.movedAt}`);
    // Rows sent since the gap are not part of it, and are not read; otherwise each text would cost more than
    // the one before.
    const within = { until, untilRow: newestRowOf(gap, position) };
    const here = this.rowsSince(seq, cause, within).filter((row) => isIn(conversation, row));
    return this.unclaimed(here.filter(isInTime), here);
  }

  /**
   * Whether a row that was noted when the gap was found may belong to a text, whatever its date. `surely`:
   * the store had the text before it knew the row, which is better evidence than any clock. `perhaps`: the
   * clock was behind in the gap.
   */
  mayBeOf(seq: number, guid: string): 'surely' | 'perhaps' | 'no' {
    const { lineage } = this.store;
    const noted = lineage.gapRow(guid);
    if (noted === undefined) return 'no';
    if (seq <= noted.knownSends) return 'surely';
    return lineage.wasClockBehind() ? 'perhaps' : 'no';
  }

  /**
   * Those of these rows that prove no other text, directly or as rows that iCloud wrote again. `here`: rows
   * of the same conversation.
   */
  private unclaimed(rows: readonly SentRow[], here: readonly SentRow[]): readonly SentRow[] {
    const known = knownRows(this.store);
    const open = rows.filter(
      ({ guid, isUndecided }) => !known.isClaimed(guid) && !(isUndecided === true && known.isPersons(guid)),
    );
    const times = [...new Set(open.flatMap(({ sentAt }) => sentAt ?? []))];
    if (times.length === 0) return open;
    const byTime = new Map<number | null, SentRow[]>();
    for (const other of [...here, ...this.rows.datedAt(times)])
      byTime.set(other.sentAt, [...(byTime.get(other.sentAt) ?? []), other]);
    const isProof = (row: SentRow, other: SentRow) =>
      other.guid !== row.guid && this.isCopy(row, other) && known.isClaimed(other.guid);
    return open.filter((row) => !(byTime.get(row.sentAt) ?? []).some((other) => isProof(row, other)));
  }

  private rowsSince(seq: number, cause: Cause, within: RowsWithin): readonly SentRow[] {
    if (cause.kind === 'row') return this.behind(cause.rowId, within);
    const rows = this.dated(seq, cause, within);
    if (this.rows.position()?.movedAt !== null) return rows;
    // Their positions show their order better than any clock.
    const inOrder = rows.toSorted((a, b) => a.rowId - b.rowId);
    return cause.kind === 'copied' ? inOrder.filter(({ rowId }) => rowId < cause.rowId) : inOrder;
  }

  private dated(seq: number, cause: Exclude<Cause, { kind: 'row' }>, within: RowsWithin): readonly SentRow[] {
    const { until } = within;
    const rows = this.since(cause.kind === 'unknown' ? until - LOOK_BACK_MS : cause.at, within);
    const isOutside = ({ sentAt }: { sentAt: number | null }) => sentAt === null || sentAt > until;
    // Whatever its date was when it was noted: Messages may have changed it.
    const noted = this.notedBeside(
      rows,
      (before, now) => isOutside(before) || isOutside(now) || this.mayBeOf(seq, now.guid) !== 'no',
    );
    return [...rows, ...noted].toSorted((a, b) => (a.sentAt ?? 0) - (b.sentAt ?? 0));
  }

  /** Outgoing rows of then (Unix ms) and later, by their dates, read in as many pieces as they come in. */
  private since(from: number, within: RowsWithin): readonly SentRow[] {
    const found = new Map<string, SentRow>();
    for (let since = from; ; ) {
      const rows = this.rows.since(since, within).filter(({ guid }) => !found.has(guid));
      for (const row of rows) found.set(row.guid, row);
      const last = rows.at(-1)?.sentAt ?? null;
      if (last === null) break;
      since = last;
    }
    return [...found.values()];
  }

  /**
   * Outgoing rows after this one, in order, read in pages; together with noted rows that are further away.
   */
  private behind(rowId: number, within: RowsWithin): readonly SentRow[] {
    const found: SentRow[] = [];
    for (let rows = this.rows.after(rowId, within); rows.length > 0; ) {
      found.push(...rows);
      rows = this.rows.after(rows.at(-1)?.rowId ?? Number.MAX_SAFE_INTEGER, within);
    }
    const noted = this.notedBeside(found, (_, now) => now.rowId > rowId);
    return noted.length === 0 ? found : [...found, ...noted].toSorted((a, b) => a.rowId - b.rowId);
  }

  /** The rows that were noted when a gap was found, as they stand now, by their places: without these and those that are gone. */
  private notedBeside(
    rows: readonly SentRow[],
    isWanted: (before: GapRow, now: RowPlace) => boolean,
  ): readonly SentRow[] {
    const { lineage } = this.store;
    const read = new Set(rows.map(({ guid }) => guid));
    const others = lineage.gapRows().flatMap(({ guid }) => (read.has(guid) ? [] : guid));
    const wanted = this.rows.placesOf(others).filter((now) => {
      const before = lineage.gapRow(now.guid);
      return before !== undefined && isWanted(before, now);
    });
    const settled = wanted.flatMap((now) => this.settled.get(now) ?? []);
    const known = new Set(settled.map(({ guid }) => guid));
    const found = this.rows.named(wanted.flatMap(({ guid }) => (known.has(guid) ? [] : guid)));
    for (const row of found) this.settled.add(row);
    return [...settled, ...found].toSorted((a, b) => a.rowId - b.rowId);
  }

  /** iCloud writes a row again with its date and words, under another guid. */
  private isCopy(row: SentRow, proof: SentRow): boolean {
    if (row.sentAt === null || row.sentAt !== proof.sentAt || row.conversation !== proof.conversation)
      return false;
    return this.rows.normalise(row.text) === this.rows.normalise(proof.text);
  }
}

/** The chat of a row that is just being written may come after its text. */
function isIn(conversation: string, row: SentRow): boolean {
  return row.conversation === conversation || (row.isUndecided === true && row.conversation === null);
}
