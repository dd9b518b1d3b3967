import type { NewSend, SendRecord } from '../model/sending.js';
import type { Clock } from '../system/clock.js';
import { columnsOf, freshRecord, partColumnsOf } from './newSend.js';
import { type SendStatements, sendStatements } from './sendStatements.js';
import type { Database } from './sqlite.js';

/** From an attempt until its row is not looked for any more: a file is waited for 20 minutes. */
const LONGEST_ATTEMPT_MS = 30 * 60_000;

/** The send ledger. */
export class SendTable {
  private last: number;
  private readonly statements: SendStatements;

  constructor(
    database: Database,
    private readonly clock: Clock,
  ) {
    const newest = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'sends'").pluck().get();
    this.last = (newest as number | undefined) ?? 0;
    this.statements = sendStatements(database);
  }

  /** Stores a send; undefined if its id is known already (then nothing changes). */
  add(send: NewSend): SendRecord | undefined {
    const seq = this.last + 1;
    const createdAt = this.clock.now();
    const isPlain = (send.partOf ?? null) === null && (send.file ?? null) === null;
    const columns = columnsOf(send, seq, createdAt);
    const { changes } = isPlain
      ? this.statements.insert.run(...columns)
      : this.statements.insertPart.run(...columns, ...partColumnsOf(send));
    if (changes === 0) return undefined;
    this.last = seq;
    return freshRecord(send, seq, createdAt);
  }

  /** The seq of the newest send ever added (0: none). */
  newest(): number {
    return this.last;
  }

  get(seq: number): SendRecord | undefined {
    return this.statements.selectBySeq.get(seq) as SendRecord | undefined;
  }

  findById(id: string): SendRecord | undefined {
    return this.statements.selectById.get(id) as SendRecord | undefined;
  }

  /** The first text of a conversation's lane. */
  head(conversation: string): SendRecord | undefined {
    return this.statements.selectHead.get(conversation) as SendRecord | undefined;
  }

  /** What answers this message in a conversation, by seq. */
  answersTo(conversation: string, guid: string): SendRecord[] {
    return this.statements.selectAnswersTo.all(conversation, guid) as SendRecord[];
  }

  /** What waits in a conversation's lane to be tried, in its order. */
  queuedIn(conversation: string): SendRecord[] {
    return this.statements.selectQueuedIn.all(conversation) as SendRecord[];
  }

  /** Everything in a conversation's lane, also what is on its way, in its order. */
  inLane(conversation: string): SendRecord[] {
    return this.statements.selectInLane.all(conversation) as SendRecord[];
  }

  /** How many texts of each priority each lane holds. */
  lanes(): { conversation: string; priority: number; waiting: number }[] {
    return this.statements.selectLanes.all() as { conversation: string; priority: number; waiting: number }[];
  }

  attempting(): SendRecord[] {
    return this.statements.selectAttempting.all() as SendRecord[];
  }

  /** Sends whose row is still looked for in chat.db, the most urgent first. */
  watched(): SendRecord[] {
    return this.statements.selectWatched.all() as SendRecord[];
  }

  /** Sends that were taken for duplicates of this one, by seq. */
  duplicatesOf(seq: number): SendRecord[] {
    return this.statements.selectDuplicatesOf.all(seq) as SendRecord[];
  }

  /** Reflexes and first bubbles in these words that name this message, by seq. */
  inWords(words: string, answers: string): SendRecord[] {
    return this.statements.selectInWords.all(words, answers) as SendRecord[];
  }

  /** A reflex that names no message is assumed to answer this one. */
  assume(seq: number, guid: string): void {
    this.statements.updateAssumed.run(guid, seq);
  }

  /** The reflexes of a conversation behind that seq, by seq. */
  reflexes(conversation: string, afterSeq: number): SendRecord[] {
    return this.statements.selectReflexes.all(conversation, afterSeq) as SendRecord[];
  }

  /** Whether a chat.db row was already taken as the proof of some send. */
  isClaimed(guid: string): boolean {
    return this.statements.selectClaimed.get(guid) !== undefined;
  }

  begin(seq: number, attempt: { tag: string; generation: string | null; afterRow: number | null }): void {
    this.statements.updateBegin.run(attempt.tag, attempt.generation, attempt.afterRow, this.clock.now(), seq);
  }

  requeue(
    seq: number,
    next: {
      form: number;
      attempts: number;
      notBefore: number;
      errorCode: string | null;
      error: string | null;
    },
  ): void {
    this.statements.updateRequeue.run(
      next.form,
      next.attempts,
      next.notBefore,
      next.errorCode,
      next.error,
      seq,
    );
  }

  /** A text with an unknown outcome goes out once more, as the operator wants it. */
  resend(seq: number): void {
    this.statements.updateResend.run(seq);
  }

  /** osascript ended (or will never be heard of); `doubt` says why the outcome is not plain acceptance. */
  ended(seq: number, watchUntil: number, doubt: { errorCode: string; error: string } | null): void {
    this.statements.updateEnded.run(
      this.clock.now(),
      watchUntil,
      doubt?.errorCode ?? null,
      doubt?.error ?? null,
      seq,
    );
  }

  settle(
    seq: number,
    end: {
      state: 'sent' | 'failed' | 'unknown' | 'deduplicated';
      guid?: string | null;
      service?: string | null;
      errorCode?: string | null;
      error?: string | null;
      watchUntil?: number | null;
    },
  ): void {
    this.statements.updateSettle.run(
      end.state,
      end.guid ?? null,
      end.service ?? null,
      end.errorCode ?? null,
      end.error ?? null,
      end.watchUntil ?? null,
      this.clock.now(),
      seq,
    );
  }

  /** A duplicate that waited takes the place of the text that failed, and is no duplicate any more. */
  promote(seq: number, place: number): void {
    this.statements.updatePromote.run(place, seq);
  }

  /** A duplicate waits for another text from now on. */
  rewait(seq: number, root: number): void {
    this.statements.updateTwin.run(root, seq);
  }

  /** Its row is not looked for any more. */
  unwatch(seq: number): void {
    this.statements.updateUnwatch.run(seq);
  }

  /** What was told of a sent text, and until when (Unix ms) more is looked for; null: no longer. */
  setTold(seq: number, told: number, lifeUntil: number | null): void {
    this.statements.updateTold.run(told, lifeUntil, seq);
  }

  /** Inside a write: no sent text is followed longer than until then (Unix ms). */
  endLivesBy(at: number): void {
    this.statements.updateLivesBy.run(at, at);
  }

  /** Sent texts whose later life is looked for beyond `lifeUntil` (0: all of them), by seq. */
  living(lifeUntil: number, afterSeq: number, limit: number): SendRecord[] {
    return this.statements.selectLiving.all(lifeUntil, afterSeq, limit) as SendRecord[];
  }

  /** Texts of a conversation that Messages was, or may have been, asked to send, and that no row proves. */
  unproven(conversation: string): SendRecord[] {
    return this.statements.selectUnproven.all(conversation) as SendRecord[];
  }

  /** The texts of a conversation that were entered last, the newest first. */
  newestTo(conversation: string, limit: number): SendRecord[] {
    return this.statements.selectNewestTo.all(conversation, limit) as SendRecord[];
  }

  /** Texts with a row of which the attempt began before then (Unix ms) and was settled after it. */
  provenAt(conversation: string, at: number): SendRecord[] {
    return this.statements.selectProvenAt.all(conversation, at - LONGEST_ATTEMPT_MS, at, at) as SendRecord[];
  }

  /** Whether anything was to go out to this conversation lately. */
  isWrittenTo(conversation: string): boolean {
    return this.statements.selectAnyOf.get(conversation) !== undefined;
  }

  /** Whether a row of chat.db proved a text to this conversation lately. */
  isProvenTo(conversation: string): boolean {
    return this.statements.selectAnyProven.get(conversation) !== undefined;
  }

  /** How many texts wait to go out or to be confirmed. */
  countOpen(): number {
    return this.statements.countInLane.get() as number;
  }
}
