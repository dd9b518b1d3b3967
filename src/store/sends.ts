import type { NewSend, SendRecord } from '../model/sending.js';
import type { Clock } from '../system/clock.js';
import { SEND_COLUMNS as COLUMNS, REPORTED_COLUMN } from './sendRecord.js';
import { columns, type Database, type Statement } from './sqlite.js';
import { type MarkedAttempt, MOST_GIVEN_UP } from './Witness.js';

/** From an attempt until its row is not looked for any more: a file is waited for 20 minutes. */
const LONGEST_ATTEMPT_MS = 30 * 60_000;

/** A text whose later life is followed, as far as that is compared with its row. */
export type LiveText = Pick<SendRecord, 'seq' | 'id' | 'guid' | 'state' | 'reported'> & LivePlace;

/** The position of a text among those: by the time at which tracking ends (Unix ms). */
export interface LivePlace {
  readonly lifeUntil: number;
  readonly seq: number;
}

/** The send ledger. */
export class SendTable {
  private last: number;
  /** Read once, and again when one of them may be another. */
  private unknown: readonly SendRecord[] | undefined;
  private looked: readonly SendRecord[] | undefined;
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

  /** The same, by what marks an attempt. */
  begun(): MarkedAttempt[] {
    return this.statements.selectBegun.all() as MarkedAttempt[];
  }

  /** Sends whose row is still looked for in chat.db, the most urgent first. */
  watched(): readonly SendRecord[] {
    this.looked ??= this.statements.selectWatched.all() as SendRecord[];
    return this.looked;
  }

  /** Texts that were tried, are unknown, and whose rows are not looked for any more, by seq; the newest 50. */
  givenUp(): readonly SendRecord[] {
    this.unknown ??= (this.statements.selectGivenUp.all() as SendRecord[]).toReversed();
    return this.unknown;
  }

  /** The table may have changed otherwise than by what was asked of this. */
  reload(): void {
    this.unknown = undefined;
    this.looked = undefined;
  }

  /** This text is changed; its row may be looked for. */
  touch(seq: number): void {
    if (this.looked?.some((send) => send.seq === seq)) this.looked = undefined;
  }

  /** Sends that were judged duplicates of this one, by seq. */
  duplicatesOf(seq: number): SendRecord[] {
    return this.statements.selectDuplicatesOf.all(seq) as SendRecord[];
  }

  /** Reflexes and first bubbles in these words that name this message, by seq. */
  inWords(words: string, answers: string): SendRecord[] {
    return this.statements.selectInWords.all(words, answers) as SendRecord[];
  }

  /** A reflex that names no message is assumed to answer this one. */
  assume(seq: number, guid: string): void {
    this.touch(seq);
    this.statements.updateAssumed.run(guid, seq);
  }

  /** Inside a write: a reflex that names this guid answers the message of which it turned out to be a copy. */
  answersCopyOf(conversation: string, copy: string, original: string): void {
    this.looked = undefined;
    this.statements.updateAnswers.run(original, conversation, copy);
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
    this.touch(seq);
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
    this.touch(seq);
    this.statements.updateRequeue.run(
      next.form,
      next.attempts,
      next.notBefore,
      next.errorCode,
      next.error,
      seq,
    );
  }

  /** A text with an unknown outcome is sent again, as the operator configured. */
  resend(seq: number): void {
    this.unknown = undefined;
    this.touch(seq);
    this.statements.updateResend.run(seq);
  }

  /** osascript ended (or its end will never be known); `doubt` says why the outcome is not simply accepted. */
  ended(seq: number, watchUntil: number, doubt: { errorCode: string; error: string } | null): void {
    this.looked = undefined;
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
    if (typeof end.watchUntil === 'number') this.looked = undefined;
    else this.touch(seq);
    if (end.state === 'unknown' || this.unknown?.some((send) => send.seq === seq)) this.unknown = undefined;
    const now = this.clock.now();
    this.statements.updateSettle.run(
      end.state,
      end.guid ?? null,
      end.service ?? null,
      end.errorCode ?? null,
      end.error ?? null,
      end.watchUntil ?? null,
      now,
      end.state === 'sent' ? now : null,
      seq,
    );
  }

  /** A duplicate that waited takes the place of the text that failed, and is no duplicate any more. */
  promote(seq: number, place: number): void {
    this.touch(seq);
    this.statements.updatePromote.run(place, seq);
  }

  /** Another text is sent instead from now on: its own attempt, which provably did not begin, is no longer valid. */
  rewait(seq: number, root: number): void {
    this.touch(seq);
    this.statements.updateTwin.run(root, seq);
  }

  /** Its row is not looked for any more. */
  unwatch(seq: number): void {
    this.unknown = undefined;
    this.touch(seq);
    this.statements.updateUnwatch.run(seq);
  }

  /** What was reported of a sent text, and until when (Unix ms) more is looked for; null: no longer. */
  setReported(seq: number, reported: number, lifeUntil: number | null): void {
    this.touch(seq);
    this.statements.updateReported.run(reported, lifeUntil, seq);
  }

  /** Inside a write: no sent text is followed longer than until then (Unix ms). */
  endLivesBy(at: number): void {
    this.looked = undefined;
    this.statements.updateLivesBy.run(at, at);
  }

  /** Texts whose later life is looked for behind that place, in their order. */
  living(after: LivePlace, limit: number): LiveText[] {
    return this.statements.selectLiving.all(after.lifeUntil, after.seq, limit) as LiveText[];
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

  /** The tags of texts that were tried and have no outcome yet. */
  openTags(): string[] {
    return this.statements.selectOpenTags.all() as string[];
  }
}

/** Word for word the condition of the index `sends_lane`, or SQLite does not take it. */
const IN_LANE = "(state = 'queued' OR state = 'attempting' OR state = 'confirming' OR state = 'staging')";

const LIVE_COLUMNS = `${columns<LiveText>('seq', 'id', 'guid', 'state', 'lifeUntil')}, ${REPORTED_COLUMN}`;

/** The columns of every send; the others are for parts and files. */
const KNOWN = `seq, place, id, conversation, thread_id, text, role, priority, pause_ms, command_id, schedule_id, answers, assumed, twin_key, twin, state, error_code, error, created_at, chat_guid`;
const MARKS = KNOWN.replaceAll(/\w+/g, '?');

const SQL = {
  insert: `INSERT INTO sends (${KNOWN}) VALUES (${MARKS}) ON CONFLICT (id) DO NOTHING`,
  insertPart: `INSERT INTO sends (${KNOWN}, part_of, part, file, source, staged) VALUES (${MARKS}, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
  selectBySeq: `SELECT ${COLUMNS} FROM sends WHERE seq = ?`,
  selectById: `SELECT ${COLUMNS} FROM sends WHERE id = ?`,
  selectHead: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} ORDER BY place, seq LIMIT 1`,
  selectQueuedIn: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} AND state = 'queued' ORDER BY place, seq`,
  selectInLane: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} ORDER BY place, seq`,
  selectLanes: `SELECT conversation, priority, count(*) AS waiting FROM sends WHERE ${IN_LANE} GROUP BY conversation, priority`,
  selectAttempting: `SELECT ${COLUMNS} FROM sends WHERE state = 'attempting' ORDER BY seq`,
  selectBegun: `SELECT conversation, text, file, tag FROM sends WHERE state = 'attempting' ORDER BY seq`,
  selectWatched: `SELECT ${COLUMNS} FROM sends WHERE watch_until IS NOT NULL ORDER BY watch_until, seq`,
  selectGivenUp: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_unproven
     WHERE tag IS NOT NULL AND guid IS NULL AND state = 'unknown' AND watch_until IS NULL ORDER BY seq DESC LIMIT ${MOST_GIVEN_UP}`,
  selectDuplicatesOf: `SELECT ${COLUMNS} FROM sends WHERE twin = ? ORDER BY seq`,
  selectInWords: `SELECT ${COLUMNS} FROM sends WHERE twin_key = ? AND answers = ? ORDER BY seq`,
  selectReflexes: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND role = 'reflex' AND seq > ? ORDER BY seq`,
  selectAnswersTo: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_written_to
     WHERE conversation = ? AND created_at > 0 AND answers = ? ORDER BY seq`,
  selectClaimed: 'SELECT 1 FROM sends WHERE guid = ?',
  updateBegin: `UPDATE sends SET state = 'attempting', tag = ?, generation = ?, after_row = ?, attempted_at = ?, tries = tries + 1
     WHERE seq = ?`,
  updateResend: `UPDATE sends SET state = 'queued', form = 0, attempts = 0, resends = resends + 1, not_before = 0 WHERE seq = ?`,
  updateRequeue: `UPDATE sends SET state = 'queued', form = ?, attempts = ?, not_before = ?, error_code = ?, error = ? WHERE seq = ?`,
  updateEnded: `UPDATE sends SET state = 'confirming', ended_at = ?, watch_until = ?, error_code = ?, error = ? WHERE seq = ?`,
  // One that is proven at once ends with that.
  updateSettle: `UPDATE sends SET state = ?, guid = ?, service = ?, error_code = ?, error = ?, watch_until = ?, settled_at = ?,
       ended_at = iif(state = 'attempting', coalesce(?, ended_at), ended_at)
     WHERE seq = ?`,
  updatePromote: "UPDATE sends SET state = 'queued', place = ?, twin = NULL WHERE seq = ?",
  updateTwin: 'UPDATE sends SET twin = ?, tag = NULL WHERE seq = ?',
  updateAssumed: 'UPDATE sends SET assumed = ? WHERE seq = ? AND answers IS NULL',
  updateAnswers: "UPDATE sends SET answers = ? WHERE conversation = ? AND role = 'reflex' AND answers = ?",
  updateUnwatch: 'UPDATE sends SET watch_until = NULL WHERE seq = ?',
  updateReported: 'UPDATE sends SET told = ?, life_until = ? WHERE seq = ?',
  updateLivesBy: 'UPDATE sends SET life_until = ? WHERE life_until > ?',
  selectLiving: `SELECT ${LIVE_COLUMNS} FROM sends INDEXED BY sends_life_until
     WHERE life_until IS NOT NULL AND (life_until, seq) > (?, ?) ORDER BY life_until, seq LIMIT +?`,
  selectUnproven: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_unproven
     WHERE conversation = ? AND tag IS NOT NULL AND guid IS NULL
     AND (state <> 'failed' OR error_code = 'not_delivered')`,
  selectProvenAt: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_proven
     WHERE conversation = ? AND guid IS NOT NULL AND attempted_at BETWEEN ? AND ? AND settled_at >= ?`,
  selectAnyOf:
    'SELECT 1 FROM sends INDEXED BY sends_written_to WHERE conversation = ? AND created_at > 0 LIMIT 1',
  selectAnyProven:
    'SELECT 1 FROM sends INDEXED BY sends_proven WHERE conversation = ? AND guid IS NOT NULL LIMIT 1',
  selectNewestTo: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_written_to WHERE conversation = ? AND created_at > 0
     ORDER BY seq DESC LIMIT +?`,
  selectOpenTags: `SELECT tag FROM sends WHERE ${IN_LANE} AND tag IS NOT NULL`,
  countInLane: `SELECT count(*) FROM sends WHERE ${IN_LANE}`,
};

/** They answer with one value, not with a row. */
const OF_ONE_VALUE: readonly string[] = [
  'selectClaimed',
  'selectAnyOf',
  'selectAnyProven',
  'countInLane',
  'selectOpenTags',
];

type SendStatements = { readonly [Name in keyof typeof SQL]: Statement };

/** What the send ledger asks of its table, prepared. */
function sendStatements(database: Database): SendStatements {
  const prepared = Object.entries(SQL).map(([name, sql]) => {
    const statement = database.prepare(sql);
    return [name, OF_ONE_VALUE.includes(name) ? statement.pluck() : statement];
  });
  return Object.fromEntries(prepared) as SendStatements;
}

/** The values of the insert, in its order. By position: binding so many by name takes half as long again. */
function columnsOf(send: NewSend, seq: number, createdAt: number): unknown[] {
  return [
    ...[
      seq,
      seq,
      send.id,
      send.conversation,
      send.threadId,
      send.text,
      send.role,
      send.priority,
      send.pauseMs,
    ],
    ...[
      send.commandId,
      send.scheduleId,
      send.answers,
      send.assumed ?? null,
      send.twinKey,
      send.twin,
      send.state,
    ],
    ...[send.errorCode, send.error, createdAt, send.chatGuid ?? null],
  ];
}

/** The values that come after those for a part or a file: what a whole text leaves at its defaults. */
function partColumnsOf(send: NewSend): unknown[] {
  return [send.partOf ?? null, send.part ?? 0, send.file ?? null, send.source ?? null, stagedAtOnce(send)];
}

function stagedAtOnce(send: NewSend): number {
  return (send.file ?? null) !== null && (send.source ?? null) === null ? 1 : 0;
}

/** The record that the insert has stored. Field by field: V8 takes 40 µs for a spread that so many fields follow, and under 1 µs for this. */
function freshRecord(send: NewSend, seq: number, createdAt: number): SendRecord {
  return {
    id: send.id,
    conversation: send.conversation,
    threadId: send.threadId,
    text: send.text,
    role: send.role,
    priority: send.priority,
    pauseMs: send.pauseMs,
    commandId: send.commandId,
    scheduleId: send.scheduleId,
    answers: send.answers,
    assumed: send.assumed ?? null,
    twinKey: send.twinKey,
    twin: send.twin,
    state: send.state,
    errorCode: send.errorCode,
    error: send.error,
    seq,
    place: seq,
    createdAt,
    notBefore: 0,
    attempts: 0,
    tries: 0,
    resends: 0,
    form: 0,
    tag: null,
    generation: null,
    afterRow: null,
    attemptedAt: null,
    endedAt: null,
    watchUntil: null,
    guid: null,
    service: null,
    reported: 0,
    lifeUntil: null,
    partOf: send.partOf ?? null,
    part: send.part ?? 0,
    file: send.file ?? null,
    source: send.source ?? null,
    staged: stagedAtOnce(send),
    settledAt: null,
    chatGuid: send.chatGuid ?? null,
  };
}
