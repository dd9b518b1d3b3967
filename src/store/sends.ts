import type { Clock } from '../system/clock.js';
import { SEND_COLUMNS as COLUMNS, type NewSend, type SendRecord, type SendRole } from './sendRecord.js';
import type { Database, Statement } from './sqlite.js';

/** Word for word the condition of the index `sends_lane`, or SQLite does not take it. */
const IN_LANE = "(state = 'queued' OR state = 'attempting' OR state = 'confirming' OR state = 'staging')";

/** The send ledger. */
export class SendTable {
  private last: number;
  private readonly insert: Statement;
  private readonly insertPart: Statement;
  private readonly selectBySeq: Statement;
  private readonly selectById: Statement;
  private readonly selectHead: Statement;
  private readonly selectQueuedIn: Statement;
  private readonly selectLanes: Statement;
  private readonly selectAttempting: Statement;
  private readonly selectWatched: Statement;
  private readonly selectTwinsOf: Statement;
  private readonly selectByTwinKey: Statement;
  private readonly selectReflexes: Statement;
  private readonly selectClaimed: Statement;
  private readonly updateBegin: Statement;
  private readonly updateRequeue: Statement;
  private readonly updateResend: Statement;
  private readonly updateEnded: Statement;
  private readonly updateSettle: Statement;
  private readonly updatePromote: Statement;
  private readonly updateTwin: Statement;
  private readonly updateUnwatch: Statement;
  private readonly updateTold: Statement;
  private readonly selectLiving: Statement;
  private readonly selectUnproven: Statement;
  private readonly selectAnyOf: Statement;
  private readonly countInLane: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
  ) {
    const newest = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'sends'").pluck().get();
    this.last = (newest as number | undefined) ?? 0;
    const known = `seq, place, id, conversation, thread_id, text, role, priority, pause_ms, command_id, schedule_id, answers,
      twin_key, twin, state, error_code, error, created_at`;
    const marks = known.replaceAll(/\w+/g, '?');
    this.insert = database.prepare(
      `INSERT INTO sends (${known}) VALUES (${marks}) ON CONFLICT (id) DO NOTHING`,
    );
    this.insertPart = database.prepare(
      `INSERT INTO sends (${known}, part_of, part, file, source, staged) VALUES (${marks}, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
    );
    this.selectBySeq = database.prepare(`SELECT ${COLUMNS} FROM sends WHERE seq = ?`);
    this.selectById = database.prepare(`SELECT ${COLUMNS} FROM sends WHERE id = ?`);
    this.selectHead = database.prepare(
      `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} ORDER BY place, seq LIMIT 1`,
    );
    this.selectQueuedIn = database.prepare(
      `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} AND state = 'queued' ORDER BY place, seq`,
    );
    this.selectLanes = database.prepare(
      `SELECT conversation, priority, count(*) AS waiting FROM sends WHERE ${IN_LANE} GROUP BY conversation, priority`,
    );
    this.selectAttempting = database.prepare(
      `SELECT ${COLUMNS} FROM sends WHERE state = 'attempting' ORDER BY seq`,
    );
    this.selectWatched = database.prepare(
      `SELECT ${COLUMNS} FROM sends WHERE watch_until IS NOT NULL ORDER BY watch_until, seq`,
    );
    this.selectTwinsOf = database.prepare(`SELECT ${COLUMNS} FROM sends WHERE twin = ? ORDER BY seq`);
    this.selectByTwinKey = database.prepare(
      `SELECT ${COLUMNS} FROM sends WHERE twin_key = ? AND role = ? AND seq > ? ORDER BY seq`,
    );
    this.selectReflexes = database.prepare(
      `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND role = 'reflex' AND seq > ? ORDER BY seq`,
    );
    this.selectClaimed = database.prepare('SELECT 1 FROM sends WHERE guid = ?').pluck();
    this.updateBegin = database.prepare(
      `UPDATE sends SET state = 'attempting', tag = ?, generation = ?, after_row = ?, attempted_at = ? WHERE seq = ?`,
    );
    this.updateResend = database.prepare(
      `UPDATE sends SET state = 'queued', form = 0, attempts = 0, resends = resends + 1, not_before = 0 WHERE seq = ?`,
    );
    this.updateRequeue = database.prepare(
      `UPDATE sends SET state = 'queued', form = ?, attempts = ?, not_before = ?, error_code = ?, error = ? WHERE seq = ?`,
    );
    this.updateEnded = database.prepare(
      `UPDATE sends SET state = 'confirming', ended_at = ?, watch_until = ?, error_code = ?, error = ? WHERE seq = ?`,
    );
    this.updateSettle = database.prepare(
      `UPDATE sends SET state = ?, guid = ?, service = ?, error_code = ?, error = ?, watch_until = ?, settled_at = ?
       WHERE seq = ?`,
    );
    this.updatePromote = database.prepare("UPDATE sends SET state = 'queued', place = ? WHERE seq = ?");
    this.updateTwin = database.prepare('UPDATE sends SET twin = ? WHERE seq = ?');
    this.updateUnwatch = database.prepare('UPDATE sends SET watch_until = NULL WHERE seq = ?');
    this.updateTold = database.prepare('UPDATE sends SET told = ?, life_until = ? WHERE seq = ?');
    this.selectLiving = database.prepare(
      `SELECT ${COLUMNS} FROM sends WHERE life_until IS NOT NULL AND life_until > ? AND seq > ? ORDER BY seq LIMIT ?`,
    );
    this.selectUnproven = database.prepare(
      `SELECT ${COLUMNS} FROM sends INDEXED BY sends_unproven
       WHERE conversation = ? AND tag IS NOT NULL AND guid IS NULL
       AND (state <> 'failed' OR error_code = 'not_delivered')`,
    );
    this.selectAnyOf = database
      .prepare(
        'SELECT 1 FROM sends INDEXED BY sends_written_to WHERE conversation = ? AND created_at > 0 LIMIT 1',
      )
      .pluck();
    this.countInLane = database.prepare(`SELECT count(*) FROM sends WHERE ${IN_LANE}`).pluck();
  }

  /** Stores a send; undefined if its id is known already (then nothing changes). */
  add(send: NewSend): SendRecord | undefined {
    const seq = this.last + 1;
    const createdAt = this.clock.now();
    const isPlain = (send.partOf ?? null) === null && (send.file ?? null) === null;
    const columns = columnsOf(send, seq, createdAt);
    const { changes } = isPlain
      ? this.insert.run(...columns)
      : this.insertPart.run(...columns, ...partColumnsOf(send));
    if (changes === 0) return undefined;
    this.last = seq;
    return freshRecord(send, seq, createdAt);
  }

  /** The seq of the newest send ever added (0: none). */
  newest(): number {
    return this.last;
  }

  get(seq: number): SendRecord | undefined {
    return this.selectBySeq.get(seq) as SendRecord | undefined;
  }

  findById(id: string): SendRecord | undefined {
    return this.selectById.get(id) as SendRecord | undefined;
  }

  /** The first text of a conversation's lane. */
  head(conversation: string): SendRecord | undefined {
    return this.selectHead.get(conversation) as SendRecord | undefined;
  }

  /** What waits in a conversation's lane to be tried, in its order. */
  queuedIn(conversation: string): SendRecord[] {
    return this.selectQueuedIn.all(conversation) as SendRecord[];
  }

  /** How many texts of each priority each lane holds. */
  lanes(): { conversation: string; priority: number; waiting: number }[] {
    return this.selectLanes.all() as { conversation: string; priority: number; waiting: number }[];
  }

  attempting(): SendRecord[] {
    return this.selectAttempting.all() as SendRecord[];
  }

  /** Sends whose row is still looked for in chat.db, the most urgent first. */
  watched(): SendRecord[] {
    return this.selectWatched.all() as SendRecord[];
  }

  /** Sends that were matched with this one as their twin. */
  twinsOf(seq: number): SendRecord[] {
    return this.selectTwinsOf.all(seq) as SendRecord[];
  }

  byTwinKey(twinKey: string, role: SendRole, afterSeq: number): SendRecord[] {
    return this.selectByTwinKey.all(twinKey, role, afterSeq) as SendRecord[];
  }

  reflexes(conversation: string, afterSeq: number): SendRecord[] {
    return this.selectReflexes.all(conversation, afterSeq) as SendRecord[];
  }

  /** Whether a chat.db row was already taken as the proof of some send. */
  isClaimed(guid: string): boolean {
    return this.selectClaimed.get(guid) !== undefined;
  }

  begin(seq: number, attempt: { tag: string; generation: string | null; afterRow: number | null }): void {
    this.updateBegin.run(attempt.tag, attempt.generation, attempt.afterRow, this.clock.now(), seq);
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
    this.updateRequeue.run(next.form, next.attempts, next.notBefore, next.errorCode, next.error, seq);
  }

  /** A text with an unknown outcome goes out once more, as the operator wants it. */
  resend(seq: number): void {
    this.updateResend.run(seq);
  }

  /** osascript ended (or will never be heard of); `doubt` says why the outcome is not plain acceptance. */
  ended(seq: number, watchUntil: number, doubt: { errorCode: string; error: string } | null): void {
    this.updateEnded.run(this.clock.now(), watchUntil, doubt?.errorCode ?? null, doubt?.error ?? null, seq);
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
    this.updateSettle.run(
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

  /** A waiting twin takes the place of the one that failed. */
  promote(seq: number, place: number): void {
    this.updatePromote.run(place, seq);
  }

  /** A waiting twin waits for another one from now on. */
  rewait(seq: number, twin: number): void {
    this.updateTwin.run(twin, seq);
  }

  /** Its row is not looked for any more. */
  unwatch(seq: number): void {
    this.updateUnwatch.run(seq);
  }

  /** What was told of a sent text, and until when (Unix ms) more is looked for; null: no longer. */
  setTold(seq: number, told: number, lifeUntil: number | null): void {
    this.updateTold.run(told, lifeUntil, seq);
  }

  /** Sent texts whose later life is looked for beyond `lifeUntil` (0: all of them), by seq. */
  living(lifeUntil: number, afterSeq: number, limit: number): SendRecord[] {
    return this.selectLiving.all(lifeUntil, afterSeq, limit) as SendRecord[];
  }

  /** Texts of a conversation that Messages was, or may have been, asked to send, and that no row proves. */
  unproven(conversation: string): SendRecord[] {
    return this.selectUnproven.all(conversation) as SendRecord[];
  }

  /** Whether anything was to go out to this conversation lately. */
  isWrittenTo(conversation: string): boolean {
    return this.selectAnyOf.get(conversation) !== undefined;
  }

  /** How many texts wait to go out or to be confirmed. */
  countOpen(): number {
    return this.countInLane.get() as number;
  }
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
    ...[send.commandId, send.scheduleId, send.answers, send.twinKey, send.twin, send.state, send.errorCode],
    ...[send.error, createdAt],
  ];
}

/** What a whole text leaves at its defaults. */
function partColumnsOf(send: NewSend): unknown[] {
  return [send.partOf ?? null, send.part ?? 0, send.file ?? null, send.source ?? null, stagedAtOnce(send)];
}

function stagedAtOnce(send: NewSend): number {
  return (send.file ?? null) !== null && (send.source ?? null) === null ? 1 : 0;
}

/** Field by field: V8 takes 40 µs for a spread that so many fields follow, and under 1 µs for this. */
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
    told: 0,
    lifeUntil: null,
    partOf: send.partOf ?? null,
    part: send.part ?? 0,
    file: send.file ?? null,
    source: send.source ?? null,
    staged: stagedAtOnce(send),
    settledAt: null,
  };
}
