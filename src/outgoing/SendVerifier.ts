import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { SendRecord, SentFile, SentRow, SentRows } from '../model/sending.js';
import { beganAt, isMoved, isOfAttempt, kinshipOf, orderOf, type RowOrder } from '../store/cursor.js';
import type { Store } from '../store/Store.js';
import { rowWatchedMs, sendTrace } from '../store/sendRecord.js';
import { type Clock, SteadyTime, type Timer } from '../system/clock.js';
import type { OutcomeRecorder } from './OutcomeRecorder.js';
import { notDelivered } from './OutcomeRecorder.js';
import { isFileOf, isNamedLike, isSameFile } from './sentFiles.js';

/** How long after osascript ended the ack may wait for the row. */
const ROW_EXPECTED_MS = 10_000;
/** The same for a file, which Messages copies first. */
const FILE_ROW_EXPECTED_MS = 30_000;
/** While a row that may be its own is not settled, a verdict that is due is looked at again so soon. */
const UNDECIDED_LOOK_MS = 1_000;
/** A verdict that could not be stored is tried again so soon. */
const STORE_RETRY_MS = 2_000;
/** A text with an unknown outcome is sent again at most so often, where the operator asked for that. */
const MOST_RESENDS = 1;

function rowExpectedMs(send: Pick<SendRecord, 'file'>): number {
  return send.file === null ? ROW_EXPECTED_MS : FILE_ROW_EXPECTED_MS;
}

/**
 * Texts that hold up their conversations until chat.db shows whether they were sent. `since`: Unix ms, the
 * oldest; Infinity: none.
 */
export interface UndecidedTexts {
  texts: number;
  since: number;
}

interface SendVerifierOptions {
  store: Store;
  rows: SentRows;
  settlement: OutcomeRecorder;
  clock: Clock;
  log: Logger;
  /** Whether the operator wants texts with an unknown outcome sent again. */
  resendUnknown: () => boolean;
  /** Called at the end of a write that settled something: the lane may continue. */
  settled: () => void;
  /** A text is to go out again. */
  requeued: (send: SendRecord) => void;
}

/**
 * Proves texts by their rows in chat.db. Without a row after 10 s a text is reported as unknown; its row is looked for
 * until 180 s and, if it comes, corrects the report. A row with an error has these 10 s too: Messages may send it by SMS.
 */
export class SendVerifier {
  private timer: Timer | undefined;
  private whenIdle: (() => void)[] = [];
  /** Monotonic deadlines of the verdicts, so that a wall clock that is set cannot hold a lane or cut a wait short. */
  private readonly verdicts = new Map<string, number>();
  /** Until when (monotonic) the verdict on a send waits for a row whose direction is not settled. */
  private readonly undecidedUntil = new Map<string, number>();
  /** Since when (Unix ms) it waits for that, by the seq of the send. */
  private readonly undecidedSince = new Map<number, number>();
  private readonly steady: SteadyTime;

  constructor(private readonly options: SendVerifierOptions) {
    this.steady = new SteadyTime(options.clock);
  }

  /** Looks now; call it when chat.db changed and when an attempt ended. Cheap when nothing is watched. */
  look(): void {
    this.orLater(() => {
      const watched = this.options.store.sends.watched();
      if (watched.length === 0) this.looked(true);
      else this.examine(watched, (areStored) => this.orLater(() => this.looked(areStored)));
    });
  }

  /** Where the store gives nothing, it looks again soon. */
  private orLater(work: () => void): void {
    const { store, clock } = this.options;
    if (store.tryRead(work) !== undefined || !store.isOpen) return;
    this.timer?.cancel();
    this.timer = clock.after(STORE_RETRY_MS, () => this.look());
  }

  private looked(areStored: boolean): void {
    this.arm(areStored ? 0 : STORE_RETRY_MS);
    if (this.isIdle()) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  /** Texts of which the verdict waits for a row that is not finished; a file takes its time. */
  undecided(): UndecidedTexts {
    const since = this.options.store.sends
      .watched()
      .flatMap(({ seq, state, file }) =>
        state === 'confirming' && file === null ? (this.undecidedSince.get(seq) ?? []) : [],
      );
    return { texts: since.length, since: Math.min(...since) };
  }

  /** Resolves when no ack waits for a row any more. */
  idle(): Promise<void> {
    if (this.isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.whenIdle.push(resolve));
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private isIdle(): boolean {
    return !this.options.store.sends.watched().some((send) => send.state === 'confirming');
  }

  /** `ended` is called with whether the result could be stored, immediately or when that is known. */
  private examine(watched: readonly SendRecord[], ended: (areStored: boolean) => void): void {
    const { store, rows, clock, settled } = this.options;
    // A text that osascript still sends may have its row already, which then proves no other one.
    const tried = [...watched, ...store.sends.attempting()];
    const found = rows.whole(() => matchRows(tried, rows, knownRows(store), clock.now()));
    const { proofs, undecided, ghosts } = found ?? NO_MATCHES;
    const now = clock.monotonic();
    const isDue = (send: SendRecord) => this.verdictAt(send) <= now;
    const proven = watched.flatMap((send) => {
      const row = proofs.get(send.seq);
      return row === undefined || (mayRecover(send, row) && !isDue(send)) ? [] : [{ send, row }];
    });
    const due = watched.filter((send) => {
      if (proofs.has(send.seq) || !isDue(send)) return false;
      return !undecided.has(send.seq) || !this.waitsLonger(send);
    });
    if (proven.length === 0 && due.length === 0) {
      ended(true);
      return;
    }
    const ends = [
      ...proven.map(({ send, row }) => this.endOf(send, () => this.prove(send, row))),
      ...due.map((send) =>
        this.endOf(send, () => {
          if (send.state === 'unknown') this.endWatch(send, found === undefined || undecided.has(send.seq));
          else this.giveUp(send, ghosts.has(send.seq));
        }),
      ),
    ];
    store.share({
      take() {
        for (const { take } of ends) take();
        settled();
      },
      ended: ({ kind }) =>
        ended(kind === 'failed' ? this.takeEach(ends) && store.tryWrite(() => settled()) : kind === 'stored'),
    });
  }

  /** Taken once: another look may have found and shared the same before this is stored. */
  private endOf(send: SendRecord, end: () => void): { send: SendRecord; take: () => void } {
    const take = () => {
      const now = this.options.store.sends.get(send.seq);
      if (now?.state === send.state && now.watchUntil === send.watchUntil) end();
    };
    return { send, take };
  }

  /** If the outcome of one text causes an internal error, the others are still stored. */
  private takeEach(ends: readonly { send: SendRecord; take: () => void }[]): boolean {
    const { store, settlement, log } = this.options;
    const odd = new Map<SendRecord, string>();
    const areStored = store.tryEach(
      ends,
      ({ take }) => take(),
      ({ send }, fault) => void odd.set(send, describeError(fault)),
    );
    if (!areStored) return false;
    return [...odd].every(([send, cause]) => {
      log.error('The outcome of a text could not be processed; set aside', { ...sendTrace(send), cause });
      return settlement.setAside(send, cause);
    });
  }

  /**
   * There is a row that may be its own, and chat.db does not show yet whether it was sent: the verdict waits
   * for that, as long as a row is looked for at all.
   */
  private waitsLonger(send: SendRecord): boolean {
    const { clock } = this.options;
    const key = verdictKey(send);
    const now = clock.monotonic();
    const end = this.undecidedUntil.get(key) ?? now + rowWatchedMs(send) - rowExpectedMs(send);
    this.undecidedUntil.set(key, end);
    if (!this.undecidedSince.has(send.seq)) this.undecidedSince.set(send.seq, clock.now());
    if (now >= end) return false;
    this.verdicts.set(key, Math.min(now + UNDECIDED_LOOK_MS, end));
    return true;
  }

  private prove(send: SendRecord, row: SentRow): void {
    const { settlement, log } = this.options;
    if (row.error !== 0) {
      const message = notDelivered(row.error);
      settlement.settle(send, { kind: 'failed', errorCode: 'not_delivered', message, guid: row.guid });
      return;
    }
    const late = send.state === 'unknown';
    if (late) log.info('A text whose outcome was unknown has arrived', sendTrace(send));
    const { guid, service } = row;
    settlement.settle(send, { kind: 'sent', confirmed: true, guid, service, late });
  }

  private giveUp(send: SendRecord, isGhost: boolean): void {
    const { settlement, log } = this.options;
    if (isGhost) {
      const message = 'Messages left an empty row that belongs to no chat: the text was not sent.';
      settlement.settle(send, { kind: 'failed', errorCode: 'not_delivered', message });
    } else {
      const message = send.error ?? 'Messages accepted the text, but it did not appear in chat.db.';
      settlement.settle(send, { kind: 'unknown', message }, send.watchUntil);
      log.warn('The outcome of a text is unknown; it is not sent again', sendTrace(send));
    }
  }

  /** `mayBeSent`: a row that may be its own is there, or chat.db cannot be read, so that sending it again could be sending it twice. */
  private endWatch(send: SendRecord, mayBeSent: boolean): void {
    const { store, log, resendUnknown, requeued } = this.options;
    store.sends.unwatch(send.seq);
    if (mayBeSent || !resendUnknown() || send.resends >= MOST_RESENDS) return;
    log.warn('A text with an unknown outcome is sent again (outgoing.on_unknown)', sendTrace(send));
    store.sends.resend(send.seq);
    requeued(send);
  }

  private arm(leastMs: number): void {
    this.timer?.cancel();
    this.timer = undefined;
    const watched = this.options.store.sends.watched();
    if (watched.length === 0) {
      this.verdicts.clear();
      this.undecidedUntil.clear();
      this.undecidedSince.clear();
      return;
    }
    const { clock } = this.options;
    const next = Math.min(...watched.map((send) => this.verdictAt(send)));
    this.timer = clock.after(Math.max(next - clock.monotonic(), leastMs) + 1, () => this.look());
  }

  /** When the next verdict on a watched send falls, on the monotonic clock. */
  private verdictAt(send: SendRecord): number {
    const key = verdictKey(send);
    const known = this.verdicts.get(key);
    if (known !== undefined) return known;
    const { clock } = this.options;
    const window = send.state === 'confirming' ? rowExpectedMs(send) : rowWatchedMs(send);
    const since = send.state === 'confirming' ? (send.endedAt ?? 0) : (send.watchUntil ?? 0) - window;
    const verdict = clock.monotonic() + Math.max(window - this.steady.waited(since), 0);
    this.verdicts.set(key, verdict);
    return verdict;
  }
}

function verdictKey({ seq, state }: SendRecord): string {
  return `${seq} ${state}`;
}

/** Whether an error may still disappear before the ack is due; not for a file, which takes longer. */
function mayRecover(send: SendRecord, row: SentRow): boolean {
  return row.error !== 0 && send.state === 'confirming' && send.file === null;
}

interface Matches {
  /** The row that proves each send, by the send's seq. */
  proofs: ReadonlyMap<number, SentRow>;
  /**
   * Sends with a row that may be theirs, which chat.db does not show as sent yet. None of them has a proof.
   */
  undecided: ReadonlySet<number>;
  /** Sends whose only trace is a ghost row. */
  ghosts: ReadonlySet<number>;
}

const NO_MATCHES: Matches = { proofs: new Map(), undecided: new Set(), ghosts: new Set() };

/**
 * What is known of a row already: another send's proof, stored as a person's message, of a time that the ledger does not know all of, or a
 * row of before that iCloud wrote again.
 */
export interface KnownRows {
  isClaimed(guid: string): boolean;
  isPersons(guid: string): boolean;
  isOfGap(row: SentRow, order: RowOrder): boolean;
  isCopy(row: SentRow, normalise: (text: string) => string): boolean;
}

/** Known rows as the store has them. */
export function knownRows(store: Store): KnownRows {
  return {
    isClaimed: (guid) => store.sends.isClaimed(guid),
    isPersons: (guid) => store.incoming.find(guid) !== undefined,
    isOfGap: (row, order) => store.lineage.isInGap(row, order),
    isCopy(row, normalise) {
      if (store.cursor.seen.originalOf(row.guid) !== row.guid) return true;
      if (row.conversation === null || row.sentAt === null) return false;
      const proven = store.sends.provenAt(row.conversation, row.sentAt);
      return proven.some((send) => kinshipOf(send, row, normalise) === 'whole');
    },
  };
}

/**
 * A row that is dated this much before the attempt is an old one that iCloud wrote again or delivered late,
 * because the Mac dates rows by the same clock. But if the attempt is dated in the future, the clock was set
 * back since, by an unknown amount.
 */
const CLOCK_SET_BACK_MS = 120_000;

/**
 * Finds for each send the first unclaimed outgoing row after the one that was newest at its attempt, in the
 * same conversation, with the same text, or with the same file and no text. If ROWIDs were reassigned since
 * the attempt, or chat.db could not be read then, "after" means by date: a row that was written when the
 * attempt began or later. One row proves one send; of equal texts the older send gets the older row, and a
 * file's row belongs to the send with its name and size, or else with its name, if there is one. A row whose direction is not settled proves
 * nothing, but keeps its place: if a later row matches two sends, it proves the one that no such row may
 * belong to. `now` is the time of our clock (Unix ms).
 */
export function matchRows(
  sends: readonly SendRecord[],
  rows: SentRows,
  known: KnownRows,
  now: number,
): Matches {
  const proofs = new Map<number, SentRow>();
  const undecided = new Set<number>();
  const ghosts = new Set<number>();
  const position = rows.position();
  if (position === undefined) return NO_MATCHES;
  const open = sends.filter((send) => send.attemptedAt !== null).toSorted((a, b) => a.seq - b.seq);
  const order = orderOf(position);
  const moved = new Set(open.filter((send) => isMoved(send, order)));
  const isLater = (send: SendRecord, row: SentRow) =>
    moved.has(send)
      ? isDatedSince(send, row, now) && !isCopyOfOlder(send, row)
      : isOfAttempt(send, row, order) && !isFromBefore(send, row, isCopy, now);
  // Where the attempt's date is right, no row from before it is dated since.
  const isCopyOfOlder = (send: SendRecord, row: SentRow) => (beganAt(send) ?? 0) > now && isCopy(row);
  const isCopy = (row: SentRow) => known.isCopy(row, (text) => rows.normalise(text));
  for (const row of rowsFor(open, moved, position.rowId, rows, now)) {
    if (known.isClaimed(row.guid) || (row.isUndecided && known.isPersons(row.guid))) continue;
    const later = open.filter((send) => isLater(send, row));
    for (const send of later) if (row.ghostOf === send.conversation) ghosts.add(send.seq);
    const files = lazily(() => rows.filesOf(row.rowId));
    const isLikeEnough = lazily(() => !known.isOfGap(row, position));
    const fits = (send: SendRecord) => isRowOf(send, row, rows, files, isLikeEnough);
    const fitting = named(
      later.filter((send) => !proofs.has(send.seq) && fits(send)),
      row,
      files,
    );
    const free = fitting.find((send) => !undecided.has(send.seq));
    if (row.isUndecided) {
      if (free !== undefined) undecided.add(free.seq);
      continue;
    }
    const proven = free ?? fitting[0];
    if (proven === undefined) continue;
    proofs.set(proven.seq, row);
    undecided.delete(proven.seq);
  }
  return { proofs, undecided, ghosts };
}

/** `isLikeEnough`: whether a file is the text's by its name or its size alone. In a gap it may be one that this store never knew. */
function isRowOf(
  send: SendRecord,
  row: SentRow,
  rows: SentRows,
  files: () => readonly SentFile[],
  isLikeEnough: () => boolean,
): boolean {
  if (!isInConversation(send, row)) return false;
  if (kinshipOf(send, row, (text) => rows.normalise(text)) !== 'whole') return false;
  if (send.file === null || row.isUndecided) return true;
  return files().some((file) => isSameFile(send, file) || (isFileOf(send, file) && isLikeEnough()));
}

/** Those of these texts that have the name of the row's file, if any has, and of them those with its size: the others are less like it. */
function named(
  texts: readonly SendRecord[],
  row: SentRow,
  files: () => readonly SentFile[],
): readonly SendRecord[] {
  if (texts.length < 2 || row.isUndecided === true) return texts;
  const own = texts.filter((send) => files().some((file) => isNamedLike(send, file)));
  const same = own.filter((send) => files().some((file) => isSameFile(send, file)));
  return [same, own].find((some) => some.length > 0) ?? texts;
}

/** The chat of a row that is just being written may come after its text. */
function isInConversation({ conversation }: SendRecord, row: SentRow): boolean {
  return row.conversation === conversation || (row.isUndecided === true && row.conversation === null);
}

function rowsFor(
  open: readonly SendRecord[],
  moved: ReadonlySet<SendRecord>,
  newest: number,
  rows: SentRows,
  now: number,
): readonly SentRow[] {
  const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Infinity);
  const from = least(open.flatMap((send) => (moved.has(send) ? [] : (send.afterRow ?? []))));
  const since = least([...moved].flatMap((send) => datedFrom(send, now) ?? []));
  const after = from < newest ? rows.after(from) : [];
  if (since === Infinity) return after;
  const known = new Set(after.map(({ guid }) => guid));
  return [...after, ...rows.since(since).filter(({ guid }) => !known.has(guid))];
}

/** Before any row of it can be dated. Of an attempt that is dated in the future the clock was set back since: of the last minutes. */
function datedFrom(send: SendRecord, now: number): number | null {
  const began = beganAt(send);
  return began === null || began <= now ? began : now - CLOCK_SET_BACK_MS;
}

function isDatedSince(send: SendRecord, { sentAt }: SentRow, now: number): boolean {
  const from = datedFrom(send, now);
  return sentAt !== null && from !== null && sentAt >= from;
}

/** Within the time that a clock may have been set back only a row that is known from before is one. */
function isFromBefore(
  send: SendRecord,
  row: SentRow,
  isCopy: (row: SentRow) => boolean,
  now: number,
): boolean {
  const began = beganAt(send);
  if (row.sentAt === null || began === null || row.sentAt >= began) return false;
  return (began <= now && row.sentAt < began - CLOCK_SET_BACK_MS) || isCopy(row);
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
