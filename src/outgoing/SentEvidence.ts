import type { SendRecord, SentRow, SentRows } from '../model/sending.js';
import { kinshipOf } from '../store/cursor.js';
import type { LedgerGap } from '../store/ledgerGap.js';
import { CLOCKS_APART_MS, type RecordedAnswer } from '../store/lineage.js';
import type { Store } from '../store/Store.js';
import type { GoneOut, WantedSince, WantedText } from '../store/sendRecord.js';
import type { GapEnd } from '../store/Witness.js';
import { type Cause, GapRows, LOOK_BACK_MS, type MadeCause } from './GapRows.js';
import { isFileOf, isSameFile } from './sentFiles.js';

/**
 * What chat.db shows of a text whose record the ledger may have lost. `none`: it was not sent. `sent`: this
 * row is its proof. `answered`: its message was answered in other words. `doubtful`: a row has its words, but
 * it is not known whether it belongs to this text. `withheld`: it fell due while the agent was running, and
 * has no row: it was cancelled or failed. `begun`: a forgotten agent had begun to send it, and a row may
 * still appear or be completed: `firstRow` (its ROWID) is the first that may belong to it. `unsettled`:
 * chat.db cannot be read, or does not show yet whether a row with these words was sent: try again.
 */
export type Evidence =
  | { kind: 'none' }
  | { kind: 'sent'; row: SentRow }
  | { kind: 'answered' }
  | { kind: 'doubtful' }
  | { kind: 'withheld' }
  | { kind: 'begun'; firstRow: number | null }
  | { kind: 'unsettled' };

/** A message is dated by its sender's clock, which may be this much ahead, in ms; its row shows the order. */
const SENDER_AHEAD_MS = 86_400_000;
/** How long after its date a row may still settle that chat.db does not show as sent, in ms. */
const SETTLES_WITHIN_MS = 180_000;

const ANY_TIME: Cause = { kind: 'unknown' };
const NONE: Evidence = { kind: 'none' };
/** What the rows after a message show of its answer, although the answer may be before it. */
const MAY_LIE_BEFORE: ReadonlySet<Evidence['kind']> = new Set(['none', 'sent', 'answered']);
/** What says more of an answer than that there is one in other words. */
const SETTLING: ReadonlySet<Evidence['kind']> = new Set(['sent', 'unsettled']);

function isRecorded(answer: RecordedAnswer): boolean {
  return answer === 'to_it' || answer === 'to_its_date';
}

/** Whether a row was written after the cause of the text, as far as its position or date shows. */
function isAfter(cause: Cause, { rowId, sentAt }: SentRow): boolean {
  switch (cause.kind) {
    case 'row':
      return rowId > cause.rowId;
    case 'copied':
    case 'message':
    case 'time':
    case 'made':
      return sentAt !== null && sentAt >= cause.at;
    case 'unknown':
      return true;
  }
}

/**
 * Looks in chat.db for sent texts that the ledger does not know: the store was restored from a copy, deleted
 * or salvaged, or another state directory was in use. Only while the ledger has a gap, and only for texts
 * that may be from that time: in normal running, texts of other people or programs never keep a text from
 * being sent.
 */
export class SentEvidence {
  private readonly gapRows: GapRows;

  constructor(
    private readonly store: Store,
    private readonly rows: SentRows,
    /** Unix ms. */
    private readonly now: () => number,
    /** What our clock shows when the backend's shows this (Unix ms); the earliest that it may be while that is not certain. */
    private readonly ownTime: (backendTime: number) => number = (time) => time,
  ) {
    this.gapRows = new GapRows(store, rows);
  }

  /** Called right before a text is sent for the first time. */
  of(send: SendRecord): Evidence {
    const gap = this.store.lineage.gap();
    if (gap === undefined) return NONE;
    return this.rows.whole(() => this.sure(send, this.found(send, gap))) ?? { kind: 'unsettled' };
  }

  /** A file of the same size under another name is a doubt, and so is one of its name with another size: it may be another file. */
  private sure(send: SendRecord, evidence: Evidence): Evidence {
    if (evidence.kind !== 'sent' || send.file === null) return evidence;
    return this.isSame(send, evidence.row) ? evidence : { kind: 'doubtful' };
  }

  private isSame(send: SendRecord, row: SentRow): boolean {
    return this.rows.filesOf(row.rowId).some((file) => isSameFile(send, file));
  }

  private found(send: SendRecord, gap: LedgerGap): Evidence {
    const cause = this.causeOf(send, gap);
    if (cause === undefined) return NONE;
    const byPlace = this.foundSince(send, cause, gap);
    const answer = this.answerTo(send);
    if (cause.kind === 'message' && byPlace.kind === 'none' && this.mayBeMisdated(send, answer, gap))
      return this.foundSince(send, ANY_TIME, gap);
    if (!MAY_LIE_BEFORE.has(byPlace.kind) || cause.kind !== 'row' || answer === 'none') return byPlace;
    // It was answered: if iCloud wrote its row again after the answer, and the first one is gone, the rows
    // after it belong to other messages.
    const before = this.foundBefore(send, cause, answer, gap);
    if (byPlace.kind === 'sent') {
      const isFirst = answer === 'to_its_date' && (before.kind === 'sent' || before.kind === 'doubtful');
      return isFirst || isOlder(before, byPlace.row, cause) ? before : byPlace;
    }
    if (byPlace.kind === 'answered' && !SETTLING.has(before.kind)) return byPlace;
    // If nothing shows that its row was written again, this row may belong to an earlier text, which it must
    // still prove.
    return before.kind === 'sent' && answer !== 'to_its_date' ? { kind: 'doubtful' } : before;
  }

  /**
   * In front of a message. If iCloud wrote its row again, but no row with its words is dated after it, the
   * clock was ahead, so dates show nothing.
   */
  private foundBefore(
    send: SendRecord,
    { rowId, at }: { rowId: number; at: number },
    answer: RecordedAnswer,
    gap: LedgerGap,
  ): Evidence {
    const before = this.foundSince(send, { kind: 'copied', rowId, at }, gap);
    if ((before.kind !== 'none' && before.kind !== 'answered') || answer !== 'to_its_date') return before;
    const ofAnyTime = this.foundSince(send, { kind: 'copied', rowId, at: gap.until - LOOK_BACK_MS }, gap);
    if (ofAnyTime.kind === 'none') return before;
    return ofAnyTime.kind === 'sent' ? { kind: 'doubtful' } : ofAnyTime;
  }

  /**
   * Whether a message after which nothing is dated came while the clock was ahead, so that dates do not show
   * what came then: it was answered, or was dated in the future when it was read, and there is no record
   * whether it had this reflex.
   */
  private mayBeMisdated(send: SendRecord, answer: RecordedAnswer, gap: LedgerGap): boolean {
    if (isRecorded(answer)) return true;
    if (send.role !== 'reflex' || gap.reason === 'new' || !this.store.lineage.isOfferedAgain(send))
      return false;
    return this.store.incoming.isDatedAhead(messageOf(send) ?? '');
  }

  private answerTo(send: SendRecord): RecordedAnswer {
    const message = messageOf(send);
    const answered = message === null ? undefined : this.store.incoming.find(message);
    return answered === undefined ? 'none' : this.store.lineage.answerTo(answered, send.seq);
  }

  /** Whether something of then may have been done in a gap with this end. `seq`: the text that was asked for. */
  private mayBeFrom(end: GapEnd, cause: Cause, seq: number): boolean {
    const { lineage } = this.store;
    switch (cause.kind) {
      case 'unknown':
        return true;
      case 'made':
        // While that is not known: by our clock, and whatever may be offered again.
        return (
          lineage.mayBeMadeBefore(end, cause.madeAt) ??
          (cause.at < end.until || lineage.isOfferedAgain({ seq }))
        );
      case 'time':
        // What was scheduled since is not of the gap, however far ahead the clock once was.
        if (typeof cause.madeAt === 'number' && lineage.mayBeMadeBefore(end, cause.madeAt) === false)
          return false;
        return cause.at < lineage.latestShown(end);
      default:
        return cause.at - SENDER_AHEAD_MS < end.until;
    }
  }

  private isOfTime(cause: Cause, seq: number): (end: GapEnd) => boolean {
    return (end) => this.mayBeFrom(end, cause, seq);
  }

  private foundSince(send: SendRecord, cause: Cause, gap: LedgerGap): Evidence {
    const mayBeOfGap = this.mayBeFrom(gap, cause, send.seq);
    if (!mayBeOfGap && send.seq > gap.knownSends) return NONE;
    const rows = this.gapRows.inGap(send, cause, gap);
    if (rows === undefined) return { kind: 'unsettled' };
    const candidates = rows.filter((candidate) => isAfter(cause, candidate));
    const found = candidates.filter((candidate) => candidate.isUndecided !== true);
    const fits = (candidate: SentRow) =>
      this.isOf(send, candidate) && !this.isBrought(send, candidate, cause, gap);
    // For a file, a row with its name and size comes before those that have one of them.
    const isOwn = (row: SentRow) => row.isUndecided !== true && this.isSame(send, row) && fits(row);
    const own = send.file === null ? undefined : candidates.find(isOwn);
    // A row that is not known to be sent keeps its place: the next one belongs to the next text in these words.
    const open: SentRow[] = [];
    const row = candidates.find((candidate) => {
      if (!fits(candidate)) return false;
      if (candidate.isUndecided === true) open.push(candidate);
      return candidate.isUndecided !== true && (own === undefined || candidate === own);
    });
    if (row !== undefined && cause.kind === 'unknown') return { kind: 'doubtful' };
    if (row !== undefined && open.length === 0) {
      return this.isFirst(send, row, found, cause, gap) ? { kind: 'sent', row } : { kind: 'doubtful' };
    }
    const isBegun = this.store.lineage.isBegun(send, this.isOfTime(cause, send.seq));
    if (row === undefined && isBegun && open.length > 0)
      return { kind: 'begun', firstRow: Math.min(...open.map(({ rowId }) => rowId)) };
    if (open.some((candidate) => this.maySettle(candidate))) return { kind: 'unsettled' };
    if (open.length > 0) return { kind: 'doubtful' };
    const misdated = rows.filter((other) => !isAfter(cause, other) && this.isOf(send, other));
    const byGuid = misdated.find(({ guid }) => this.gapRows.mayBeOf(send.seq, guid) === 'surely');
    if (byGuid !== undefined && byGuid.isUndecided !== true) return { kind: 'sent', row: byGuid };
    if (misdated.some(({ guid }) => this.gapRows.mayBeOf(send.seq, guid) !== 'no'))
      return { kind: 'doubtful' };
    if (!mayBeOfGap) return NONE;
    if (isBegun) return { kind: 'begun', firstRow: null };
    if (this.isAnswered(send, found, gap)) return { kind: 'answered' };
    return this.fellDueAtWork(send, gap) ? { kind: 'withheld' } : NONE;
  }

  /**
   * Whether the row that is first by its place is the text's for sure, and none of the others in its words. One that is misplaced, or that
   * may be dated before the text was wanted, is so only if the store had the text before it knew the row.
   */
  private isFirst(send: SendRecord, row: SentRow, found: readonly SentRow[], cause: Cause, gap: LedgerGap) {
    const isAfterAll = cause.kind !== 'made' || (row.sentAt ?? 0) >= cause.atMost;
    if (isAfterAll && !this.isMisplaced(row, cause, gap))
      return !found.some((other) => isDatedBefore(other, row, cause) && this.isOf(send, other));
    return this.gapRows.mayBeOf(send.seq, row.guid) === 'surely';
  }

  /**
   * Whether a row after a message is dated before that and before the copy was last in use: the clock was
   * behind, or iCloud delivered an old row, or wrote one again that the store had known by another guid. So
   * its position may mean nothing.
   */
  private isMisplaced({ guid, sentAt }: SentRow, cause: Cause, { copiedAt }: LedgerGap): boolean {
    if (cause.kind !== 'row' || sentAt === null || sentAt >= cause.at) return false;
    return this.store.lineage.gapRow(guid)?.isBackdated ?? (copiedAt !== null && sentAt < copiedAt);
  }

  /** Such a row that was not there when the gap was found: iCloud has written it since. */
  private isBrought({ seq }: SendRecord, row: SentRow, cause: Cause, gap: LedgerGap): boolean {
    if (row.isUndecided === true || !this.isMisplaced(row, cause, gap)) return false;
    return (
      this.gapRows.mayBeOf(seq, row.guid) === 'no' && (gap.untilRow === null || row.rowId > gap.untilRow)
    );
  }

  /**
   * Inside a write: this row is found to be the text's. If it was written after all that the forgotten agent recorded, it is the row of an
   * attempt that this agent had begun, which is no other text's then.
   */
  noteProof(send: SendRecord, { sentAt }: SentRow): void {
    const activeUntil = this.store.lineage.gap()?.activeUntil ?? null;
    if (sentAt !== null && activeUntil !== null && sentAt > activeUntil) this.takeUp(send);
  }

  /** Inside a write: the attempt that a forgotten agent had begun is this text's, and that of no other one in the same words. */
  takeUp(send: SendRecord): void {
    const gap = this.store.lineage.gap();
    const cause = gap === undefined ? undefined : this.causeOf(send, gap);
    if (cause !== undefined) this.store.lineage.takeUp(send, this.isOfTime(cause, send.seq));
  }

  /** Whether chat.db may have this text: then it is not too late but sent. */
  mayHaveGoneOut({ conversation, text }: WantedText, since: WantedSince): GoneOut {
    const gap = this.store.lineage.gap();
    if (gap === undefined) return 'no';
    const { at, madeAt } = since;
    const cause = since.clock === 'own' ? ({ kind: 'time', at, madeAt } as const) : this.causeMadeAt(at);
    if (!this.mayBeFrom(gap, cause, Infinity)) return 'no';
    return this.rows.whole(() => this.hasWords({ conversation, text }, cause, gap)) ?? 'unreadable';
  }

  private hasWords({ conversation, text }: WantedText, cause: Cause, gap: LedgerGap): GoneOut {
    const normalise = (words: string) => this.rows.normalise(words);
    const wanted = {
      seq: Infinity,
      conversation: this.store.aliases.resolve(conversation),
      text,
      file: null,
    };
    const rows = this.gapRows.inGap(wanted, cause, gap);
    if (rows === undefined) return 'unreadable';
    if (this.store.lineage.isBegun(wanted, this.isOfTime(cause, wanted.seq))) return 'maybe';
    const kin = rows.filter((row) => kinshipOf({ text, file: null }, row, normalise) === 'whole');
    return kin.some((row) => isAfter(cause, row) || this.gapRows.mayBeOf(Infinity, row.guid) !== 'no')
      ? 'maybe'
      : 'no';
  }

  /** Undefined: it is from after the gap for sure. */
  private causeOf(send: SendRecord, gap: LedgerGap): Cause | undefined {
    const { store } = this;
    // If there is no sign of an earlier agent, only a command that is provably older than this agent may have
    // been sent by one.
    if (gap.reason === 'new') return this.causeOfCommand(send);
    if (send.scheduleId !== null)
      return this.causeDue(send.scheduleId) ?? { kind: 'time', at: send.createdAt };
    const message = messageOf(send);
    const answered = message === null ? undefined : store.incoming.find(message);
    if (message !== null && answered !== undefined) {
      const rowId = this.rows.rowIdOf(message);
      const position = this.rows.position();
      if (rowId !== undefined && position?.movedAt === null) {
        const isBehindGap =
          position.generation === gap.generation && gap.untilRow !== null && rowId > gap.untilRow;
        if (isBehindGap && answered.sentAt >= gap.until && !isRecorded(this.answerTo(send))) return undefined;
        return { kind: 'row', rowId, at: answered.sentAt };
      }
      return { kind: 'message', at: answered.sentAt };
    }
    const known = this.causeOfCommand(send);
    if (known !== undefined) return known;
    if (send.seq <= gap.knownSends) return { kind: 'time', at: send.createdAt };
    // Each `edge-agent send` is a new command and is never offered again.
    if (send.commandId === null || store.commands.find(send.commandId)?.via === 'operator') return undefined;
    return store.lineage.isOfferedAgain({ seq: send.seq }) ? { kind: 'unknown' } : undefined;
  }

  /** Undefined: its backend did not say when it was made. */
  private causeOfCommand({ commandId, scheduleId, createdAt }: SendRecord): Cause | undefined {
    const due = scheduleId === null ? undefined : this.causeDue(scheduleId);
    if (due !== undefined) return due;
    const made = commandId === null ? null : this.store.commands.madeAt(commandId);
    return made === null ? undefined : this.causeMadeAt(made, createdAt);
  }

  /** Undefined: it is not known when it falls due. */
  private causeDue(scheduleId: string): Cause | undefined {
    const text = this.store.schedule.find(scheduleId);
    if (text === undefined) return undefined;
    return { kind: 'time', at: text.sendAt, madeAt: this.store.commands.madeAt(text.commandId) };
  }

  /** It was made before it was stored, by whichever clock, and may have been stored after its row was written. */
  private causeMadeAt(madeAt: number, storedAt = Number.POSITIVE_INFINITY): MadeCause {
    const dates = this.store.lineage.datesInGap(madeAt, this.ownTime);
    const times = dates.map((at) => Math.min(at - CLOCKS_APART_MS, storedAt));
    return { kind: 'made', at: Math.min(...times), atMost: Math.max(...times), madeAt };
  }

  private maySettle({ sentAt }: SentRow): boolean {
    return Math.abs(this.now() - (sentAt ?? 0)) < SETTLES_WITHIN_MS;
  }

  private isOf(send: SendRecord, row: SentRow): boolean {
    if (kinshipOf(send, row, (text) => this.rows.normalise(text)) !== 'whole') return false;
    if (send.file === null || row.isUndecided === true) return true;
    return this.rows.filesOf(row.rowId).some((file) => isFileOf(send, file));
  }

  /**
   * Whether the message may have been answered in other words by an agent that the store forgot: it was begun to be answered, as far as
   * that is recorded, and one of these rows may be the answer. Once this very reply was stored, its words were settled for each later
   * state of this store: a row that was noted later, or never though the store had the reply when rows were noted last, is no other
   * answer. Another store (`replaced`) may have been given another one.
   */
  private isAnswered(send: SendRecord, found: readonly SentRow[], gap: LedgerGap): boolean {
    if (!isReply(send)) return false;
    const { incoming, lineage } = this.store;
    const notes = found.map(
      ({ guid }) => lineage.gapRow(guid) ?? { ...gap, isOfAnother: gap.reason === 'replaced' },
    );
    const open = notes.filter((noted) => noted.isOfAnother === true || noted.knownSends < send.seq);
    if (open.length === 0) return false;
    const message = incoming.find(send.answers ?? '');
    if (message !== undefined && !lineage.mayBeAnswered(message, send.seq)) return false;
    const knownSends = open.reduce((least, noted) => Math.min(least, noted.knownSends), Infinity);
    return !this.isKnownReply(send, found, knownSends);
  }

  /**
   * Whether another bubble of the same reply is in chat.db, or was tried by this store, directly or in the
   * words of a reflex that the forgotten agent had sent (this store had the texts up to `knownSends` when it
   * forgot): then it was this reply, and it ended before this bubble. A reflex that was first sent since
   * shows nothing.
   */
  private isKnownReply(
    { seq, answers, conversation }: SendRecord,
    found: readonly SentRow[],
    knownSends: number,
  ): boolean {
    const { sends } = this.store;
    const others = sends
      .answersTo(conversation, answers ?? '')
      .filter((other) => other.seq !== seq && isReply(other));
    const isTried = (send: SendRecord) => send.guid !== null || send.attemptedAt !== null;
    const wasSaid = (reflex: SendRecord | undefined) => {
      if (reflex === undefined || !isTried(reflex)) return false;
      return reflex.attemptedAt === null || reflex.seq <= knownSends;
    };
    return others.some(
      (other) =>
        isTried(other) ||
        (other.twin !== null && wasSaid(sends.get(other.twin))) ||
        found.some((row) => this.isOf(other, row)),
    );
  }

  /**
   * The store had it before the gap, and an agent was at work when it fell due, which would have sent it. One with another store
   * (`replaced`) did not know it.
   */
  private fellDueAtWork({ scheduleId }: SendRecord, { reason, activeUntil, until }: LedgerGap): boolean {
    const text = scheduleId === null ? undefined : this.store.schedule.find(scheduleId);
    if (text === undefined || activeUntil === null || reason === 'replaced') return false;
    return text.createdAt <= until && text.sendAt <= activeUntil && text.createdAt <= activeUntil;
  }
}

/**
 * Whether a row that may be the text's too is dated before the one that is first by its place: the clock was set back between them, or
 * iCloud wrote the older one again behind the other. Whichever is taken, the next text in these words may need that one.
 */
function isDatedBefore(other: SentRow, first: SentRow, cause: Cause): boolean {
  if (other.sentAt === null || first.sentAt === null || cause.kind === 'unknown') return false;
  return other.sentAt >= cause.at && other.sentAt < first.sentAt;
}

/** Whether what was found in front of a message is older than the row that was found behind it. */
function isOlder(before: Evidence, { sentAt }: SentRow, { at }: { at: number }): boolean {
  if (sentAt === null) return false;
  if (before.kind === 'sent') return before.row.sentAt !== null && before.row.sentAt < sentAt;
  return (before.kind === 'unsettled' || before.kind === 'doubtful') && sentAt >= at;
}

/** The message that a text answers, or is assumed to. */
function messageOf(send: SendRecord): string | null {
  return isReply(send) || send.role === 'reflex' ? (send.answers ?? send.assumed) : null;
}

/** Whether a text is a bubble of the reply to a message. */
export function isReply(send: SendRecord): send is SendRecord & { answers: string } {
  return (send.role === 'first' || send.role === 'bubble') && send.answers !== null;
}
