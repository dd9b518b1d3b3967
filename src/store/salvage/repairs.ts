import type { AckBody } from '../../model/agentBodies.js';
import { freshId } from '../../system/random.js';
import { FORGOTTEN_COMMANDS, UNKNOWN_BODY_HASH } from '../commands.js';
import { LONGEST_LOOK_MS, SALVAGED_GENERATION } from '../cursor.js';
import type { LostRow, Salvaged, SalvagedTable } from '../salvage.js';
import type { Database } from '../sqlite.js';
import type { Value } from './pageFormat.js';

/** A scheduled text whose row is lost: what can still be said of it. */
interface LostSchedule {
  scheduleId: string | null;
  commandId: string | null;
  /** Unix ms. */
  sendAt: number | null;
}

/** What was done for rows that are lost. */
export interface Repairs {
  schedules: readonly LostSchedule[];
  /** Commands whose outcome nobody knows any more. */
  unknownCommands: number;
  /** Texts whose outcome nobody knows any more. */
  unknownTexts: number;
  /** chat.db is read again, by date. */
  readsAgain: boolean;
  /** A pause may be lost: everything is paused until the operator resumes it. */
  paused: boolean;
}

const DAY_MS = 86_400_000;
/** Undelivered acks are kept for so long (Retention). */
const ACKS_KEPT_MS = 7 * DAY_MS;
const HOUR_MS = 3_600_000;
/** The agent says that it is alive every 30 s (Downtime), and the backend's clock may differ. */
const ALIVE_MARGIN_MS = 90_000;
/** What `freshId` of `edge-agent send` begins with: the backend knows nothing of such a command. */
const OPERATOR_COMMAND = 'operator_';

const LOST_TEXT = 'The record of this text was damaged: whether it went out is not known.';
const LOST_COMMAND = 'The record of this command was damaged: whether it was executed is not known.';

/**
 * Makes good, in the new store and from what else is known, what is lost of the damaged one (docs/guarantees.md, "When the
 * disk fails us"). One commit. No text is sent that may have gone out, no command executed that was ever seen; whatever
 * cannot be told is told as unknown. `now` is Unix ms. Throws what the disk throws.
 */
export function repair(target: Database, salvaged: Salvaged, now: number): Repairs {
  return target.transaction(() => new Repair(target, salvaged, now).run())();
}

interface Send {
  id: string;
  state: string;
  guid: string | null;
  service: string | null;
  errorCode: string | null;
  error: string | null;
  scheduleId: string | null;
}

class Repair {
  private unknownCommands = 0;
  private unknownTexts = 0;

  constructor(
    private readonly target: Database,
    private readonly salvaged: Salvaged,
    private readonly now: number,
  ) {}

  run(): Repairs {
    this.distrustSends();
    for (const row of this.lost('sends')) this.rebuildSend(row);
    this.endDuplicates();
    const schedules = this.lostSchedules();
    this.rebuildCommands();
    for (const text of schedules) this.tellSchedule(text);
    this.endWhatCannotEnd();
    this.giveAcksAgain();
    const readsAgain = this.rebuildIncoming();
    this.rebuildUploads();
    this.rebuildNumbers();
    this.rebuildSetAside();
    this.rebuildRecipients();
    this.refuseUsedLinks();
    const paused = this.pauseIfLost();
    this.tellBackend();
    const { unknownCommands, unknownTexts } = this;
    return { schedules, unknownCommands, unknownTexts, readsAgain, paused };
  }

  private table(name: string): SalvagedTable {
    const table = this.salvaged.get(name);
    if (table === undefined) throw new Error(`The table ${name} was not salvaged`);
    return table;
  }

  private lost(name: string): readonly LostRow[] {
    return this.table(name).lost;
  }

  private isDamaged(name: string): boolean {
    const { lost, mayHaveLostMore, uncertain } = this.table(name);
    return lost.length > 0 || mayHaveLostMore || uncertain.size > 0;
  }

  private run1(sql: string, ...values: unknown[]): number {
    return this.target.prepare(sql).run(...values).changes;
  }

  private one<T>(sql: string, ...values: unknown[]): T | undefined {
    return this.target.prepare<unknown[], T>(sql).get(...values);
  }

  private many<T>(sql: string, ...values: unknown[]): T[] {
    return this.target.prepare<unknown[], T>(sql).all(...values);
  }

  /** A row that may be older than what was stored last does not tell that its text did not go out. */
  private distrustSends(): void {
    for (const seq of this.table('sends').uncertain) {
      this.unknownTexts += this.run1(
        `UPDATE sends SET state = 'unknown', error_code = 'outcome_unknown', error = ?, settled_at = ?
         WHERE seq = ? AND state IN ('staging', 'queued', 'waiting', 'attempting', 'confirming')`,
        LOST_TEXT,
        this.now,
        seq,
      );
    }
  }

  /** The ledger names a text by its cause; what else is known of it stands in the rows of that cause. */
  private rebuildSend({ key, known, indexes }: LostRow): void {
    const id = text(known.id);
    if (id === null) return;
    const { cause, name, bubble, part } = this.causeOf(id);
    if (cause === '') return;
    const guid = text(known.guid);
    const schedule = cause === 'schedule' ? this.one<Cause>(OF_SCHEDULE, name) : undefined;
    const asked = cause === 'command' ? this.one<Cause>(OF_COMMAND, name) : undefined;
    const from = schedule ?? asked ?? (cause === 'reply' ? this.one<Cause>(OF_MESSAGE, name) : undefined);
    const commandId = cause === 'command' ? name : (schedule?.commandId ?? null);
    const conversation = text(known.conversation) ?? from?.conversation ?? '';
    const isProven = guid !== null;
    const isReflex = indexes.has('sends_reflexes');
    const partOf = part === null ? null : id.slice(0, id.lastIndexOf(':'));
    const isNew = this.run1(
      `INSERT OR IGNORE INTO sends (seq, id, place, conversation, thread_id, text, role, priority, pause_ms, command_id,
         schedule_id, answers, twin_key, created_at, state, attempts, guid, error_code, error, settled_at, part_of, part)
       VALUES (?, ?, ?, ?, ?, ?, ?, 2, 0, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)`,
      ...[key, id, key, conversation, from?.threadId ?? conversation, from?.text ?? ''],
      ...[isReflex ? 'reflex' : bubble === null ? 'message' : bubble === 0 ? 'first' : 'bubble', commandId],
      ...[
        cause === 'schedule' ? name : null,
        cause === 'reply' ? name : text(known.answers),
        text(known.twin_key),
      ],
      ...[number(known.settled_at) ?? this.now, isProven ? 'sent' : 'unknown', guid],
      ...[isProven ? null : 'outcome_unknown', isProven ? null : LOST_TEXT],
      ...[number(known.settled_at) ?? this.now, partOf, part ?? 0],
    );
    // What became of a text that was settled was told when it was.
    if (isNew === 0 || isProven || indexes.has('sends_settled_at')) return;
    this.unknownTexts++;
    const scheduleId = cause === 'schedule' ? name : null;
    this.lostText(conversation, {
      ...(commandId === null ? {} : { command_id: commandId }),
      ...(scheduleId === null ? {} : { schedule_id: scheduleId }),
      ...(cause === 'reply' ? { in_reply_to: name } : {}),
    });
  }

  /** An id of the ledger tells its cause, and which bubble and part it is; see `textsOf` and `partsOf`. */
  private causeOf(id: string): { cause: string; name: string; bubble: number | null; part: number | null } {
    const [, cause = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(id) ?? [];
    if (cause === 'reply') {
      const [, name = rest, bubble = '0', part] = /^(.*?):(\d+)(?::(\d+))?$/s.exec(rest) ?? [];
      return { cause, name, bubble: Number(bubble), part: part === undefined ? null : Number(part) };
    }
    const [, whole, part] = /^(.*):(\d+)$/s.exec(rest) ?? [];
    // A backend may end its ids like the number of a part.
    if (whole === undefined || this.isCommand(rest)) return { cause, name: rest, bubble: null, part: null };
    return { cause, name: whole, bubble: null, part: Number(part) };
  }

  private isCommand(commandId: string): boolean {
    if (this.lost('commands').some(({ known }) => known.command_id === commandId)) return true;
    return this.one('SELECT 1 FROM commands WHERE command_id = ?', commandId) !== undefined;
  }

  /** What waits for the end of an equal text that has ended, or is lost, would wait for ever. */
  private endDuplicates(): void {
    if (!this.isDamaged('sends')) return;
    const waiting = this.many<{
      seq: number;
      twinState: string | null;
      conversation: string;
      commandId: string | null;
    }>(
      `SELECT s.seq, t.state AS twinState, s.conversation, s.command_id AS commandId
       FROM sends s LEFT JOIN sends t ON t.seq = s.twin WHERE s.state = 'waiting'`,
    );
    for (const { seq, twinState, conversation, commandId } of waiting) {
      if (twinState !== null && !SETTLED.has(twinState)) continue;
      const isSent = twinState === 'sent' || twinState === 'deduplicated';
      this.run1(
        'UPDATE sends SET state = ?, error_code = ?, error = ?, settled_at = ? WHERE seq = ?',
        ...[
          isSent ? 'deduplicated' : 'unknown',
          isSent ? null : 'outcome_unknown',
          isSent ? null : LOST_TEXT,
          this.now,
        ],
        seq,
      );
      if (isSent) continue;
      this.unknownTexts++;
      this.lostText(conversation, {
        ...(commandId === null ? {} : { command_id: commandId }),
      });
    }
  }

  /** Texts that were, or may have been, still to be sent, and that nothing else tells of. */
  private lostSchedules(): LostSchedule[] {
    const { lost, soundIndexes, uncertain } = this.table('schedule');
    const texts = lost
      .filter(
        ({ known }) => known.state === undefined || known.state === 'pending' || known.state === 'sending',
      )
      .filter(({ known, indexes }) => {
        // Where the index of what is due can be read, a text that is not in it is not due any more.
        const isOver = soundIndexes.has('schedule_due') && !indexes.has('schedule_due');
        return !isOver || known.state === 'sending';
      })
      .map(({ known }) => ({
        scheduleId: text(known.schedule_id),
        commandId: text(known.command_id),
        sendAt: number(known.send_at),
      }))
      .filter(({ scheduleId }) => scheduleId === null || !this.hasSend(`schedule:${scheduleId}`));
    for (const seq of uncertain) {
      const row = this.one<LostSchedule>(
        `UPDATE schedule SET state = 'failed', error = ?, settled_at = ? WHERE seq = ? AND state IN ('pending', 'sending')
         RETURNING schedule_id AS scheduleId, command_id AS commandId, send_at AS sendAt`,
        LOST_TEXT,
        this.now,
        seq,
      );
      if (row !== undefined && !this.hasSend(`schedule:${row.scheduleId}`)) texts.push(row);
    }
    return [...texts, ...this.schedulesOfCommands(texts)];
  }

  /** Where not even the names of the texts can be read: those that commands of the last days asked for. */
  private schedulesOfCommands(named: readonly LostSchedule[]): LostSchedule[] {
    if (!this.table('schedule').mayHaveLostMore) return [];
    const known = new Set(named.map(({ commandId }) => commandId));
    const asked = this.many<{ scheduleId: string; commandId: string; sendAt: unknown }>(
      `SELECT json_extract(ack, '$.result.schedule_id') AS scheduleId, command_id AS commandId,
         json_extract(body, '$.payload.send_at') AS sendAt
       FROM commands c WHERE ack IS NOT NULL AND body <> '' AND json_extract(ack, '$.result.schedule_id') IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM schedule s WHERE s.command_id = c.command_id)
         AND NOT EXISTS (SELECT 1 FROM sends t WHERE t.command_id = c.command_id)`,
    );
    return asked
      .map(({ scheduleId, commandId, sendAt }) => {
        const at = typeof sendAt === 'string' ? Date.parse(sendAt) : Number.NaN;
        return { scheduleId, commandId, sendAt: Number.isNaN(at) ? null : at };
      })
      .filter(
        ({ commandId, sendAt }) => !known.has(commandId) && (sendAt === null || sendAt > this.now - DAY_MS),
      );
  }

  /** A text is not sent of which only the names are left: the backend, which has it, is told, and so is the operator. */
  private tellSchedule({ scheduleId, commandId, sendAt }: LostSchedule): void {
    const error = 'The record of this scheduled text was damaged: it is not sent.';
    this.lostText(
      null,
      {
        ...(commandId === null ? {} : { command_id: commandId }),
        ...(scheduleId === null ? {} : { schedule_id: scheduleId }),
        ...(sendAt === null ? {} : { send_at: new Date(sendAt).toISOString() }),
      },
      error,
    );
    if (commandId === null) return;
    const isOpen = this.one("SELECT 1 FROM commands WHERE command_id = ? AND state = 'open'", commandId);
    if (isOpen !== undefined) this.finish(commandId, failed(error, scheduleId));
  }

  /** Every id that anything still names gets a row again, so that none is executed twice. */
  private rebuildCommands(): void {
    const { lost, soundIndexes, mayHaveLostMore } = this.table('commands');
    for (const { key, known, indexes } of lost) {
      const commandId = text(known.command_id);
      if (commandId === null) continue;
      const wasOpen =
        indexes.has('commands_open') || (soundIndexes.has('commands_done') && !indexes.has('commands_done'));
      this.rebuildCommand(commandId, { seq: key, wasOpen, ackedAt: number(known.acked_at) });
    }
    if (!this.isDamaged('commands')) return;
    if (mayHaveLostMore) {
      // What was made after our last sign of life we cannot have received.
      const aliveAt = Number(
        this.one<{ value: string }>("SELECT value FROM meta WHERE key = 'alive_at'")?.value,
      );
      const until = Number.isNaN(aliveAt) ? this.now : Math.min(this.now, aliveAt + ALIVE_MARGIN_MS);
      this.run1(
        'INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)',
        FORGOTTEN_COMMANDS,
        `${until} ${this.now}`,
      );
    }
    const named = this.many<{ id: string }>(
      `SELECT command_id AS id FROM sends WHERE command_id IS NOT NULL UNION SELECT command_id FROM schedule
       UNION SELECT command_id FROM acks EXCEPT SELECT command_id FROM commands`,
    );
    const ofSchedules = this.lost('schedule').flatMap(({ known }) => text(known.command_id) ?? []);
    for (const id of [...named.map(({ id }) => id), ...ofSchedules]) {
      this.rebuildCommand(id, { seq: null, wasOpen: false, ackedAt: null });
    }
  }

  private rebuildCommand(
    commandId: string,
    { seq, wasOpen, ackedAt }: { seq: Value; wasOpen: boolean; ackedAt: number | null },
  ): void {
    const isNew = this.run1(
      `INSERT OR IGNORE INTO commands (seq, command_id, command_type, body, body_hash, via, received_at, state)
       VALUES (?, ?, 'unknown', '', ?, ?, ?, 'open')`,
      ...[
        seq,
        commandId,
        UNKNOWN_BODY_HASH,
        commandId.startsWith(OPERATOR_COMMAND) ? 'operator' : 'websocket',
      ],
      ackedAt ?? this.now,
    );
    if (isNew === 0) return;
    const waiting = this.one<{ body: string; revision: number }>(
      'SELECT body, revision FROM acks WHERE command_id = ? ORDER BY seq DESC LIMIT 1',
      commandId,
    );
    const sends = this.sendsOf(commandId);
    const schedule = this.one<{ scheduleId: string; state: string }>(
      'SELECT schedule_id AS scheduleId, state FROM schedule WHERE command_id = ?',
      commandId,
    );
    if (waiting !== undefined) {
      this.run1(
        `UPDATE commands SET state = 'done', ack = ?, revision = ?, acked_at = ? WHERE command_id = ?`,
        ...[waiting.body, waiting.revision, ackedAt ?? this.now, commandId],
      );
      return;
    }
    // Its text is still on its way: the outcome is its ack.
    if (schedule === undefined && sends.some(({ state }) => !SETTLED.has(state))) return;
    const verdict =
      schedule !== undefined && !SETTLED.has(schedule.state)
        ? completed({ schedule_id: schedule.scheduleId })
        : verdictOf(sends);
    if (verdict.isUnknown) this.unknownCommands++;
    this.finish(commandId, verdict, wasOpen);
  }

  /** A command whose text or schedule is lost would stay open for ever, and its backend ask for ever. */
  private endWhatCannotEnd(): void {
    if (!['sends', 'schedule', 'commands'].some((table) => this.isDamaged(table))) return;
    // A scheduled text that was handed to a ledger that lost it.
    const handed = this.many<{ scheduleId: string; commandId: string; sendAt: number }>(
      `SELECT schedule_id AS scheduleId, command_id AS commandId, send_at AS sendAt FROM schedule WHERE state = 'sending'`,
    );
    for (const { scheduleId, commandId } of handed) {
      const sends = this.sendsOf(commandId).filter((send) => send.scheduleId === scheduleId);
      if (sends.some(({ state }) => !SETTLED.has(state))) continue;
      const verdict = verdictOf(sends);
      this.run1(
        'UPDATE schedule SET state = ?, error = ?, settled_at = ? WHERE schedule_id = ?',
        ...[verdict.status === 'completed' ? 'sent' : 'failed', verdict.error, this.now, scheduleId],
      );
      if (sends.length === 0) {
        this.unknownTexts++;
        this.lostText(null, {
          command_id: commandId,
          schedule_id: scheduleId,
        });
      }
    }
    const open = this.many<{ commandId: string }>(
      `SELECT command_id AS commandId FROM commands c WHERE state = 'open'
         AND NOT EXISTS (SELECT 1 FROM schedule s WHERE s.command_id = c.command_id AND s.state IN ('pending', 'sending'))`,
    );
    for (const { commandId } of open) {
      const sends = this.sendsOf(commandId);
      if (sends.some(({ state }) => !SETTLED.has(state))) continue;
      const verdict = verdictOf(sends);
      if (verdict.isUnknown) this.unknownCommands++;
      this.finish(commandId, verdict);
    }
  }

  /**
   * An ack that was lost on its way is given again, as it stands in its command: the same ack twice does no harm. Those of
   * commands that were rebuilt are given already.
   */
  private giveAcksAgain(): void {
    if (!this.isDamaged('acks')) return;
    const named = this.lost('acks').flatMap(({ known }) => text(known.command_id) ?? []);
    this.run1(
      `INSERT INTO acks (command_id, revision, body, created_at)
       SELECT command_id, revision, ack, ? FROM commands c
       WHERE state = 'done' AND ack IS NOT NULL AND via <> 'operator' AND body_hash <> '${UNKNOWN_BODY_HASH}' AND acked_at > ?
         AND (ack_read_at IS NULL OR command_id IN (SELECT value FROM json_each(?)))
         AND NOT EXISTS (SELECT 1 FROM acks a WHERE a.command_id = c.command_id AND a.revision = c.revision)
       ORDER BY acked_at`,
      ...[this.now, this.now - ACKS_KEPT_MS, JSON.stringify(named)],
    );
  }

  /**
   * A message that is lost is read again from chat.db. One that was answered or given up must not be posted again: its place
   * is taken by a row without its words.
   */
  private rebuildIncoming(): boolean {
    const { lost, soundIndexes, mayHaveLostMore } = this.table('incoming');
    const isPlaceLost = this.isDamaged('chatdb_cursor') || this.isDamaged('chatdb_reading');
    let readsAgain = mayHaveLostMore || isPlaceLost || this.isDamaged('chatdb_pending');
    for (const { key, known, indexes } of lost) {
      const guid = text(known.guid);
      const isOver =
        number(known.settled_at) !== null ||
        (soundIndexes.has('incoming_open') && !indexes.has('incoming_open'));
      if (guid === null || !isOver) {
        readsAgain = true;
        continue;
      }
      const state = ENDS.find(([index]) => indexes.has(index))?.[1] ?? 'answered';
      this.keepPlace(key, guid, text(known.conversation) ?? '', state, number(known.settled_at));
    }
    if (readsAgain) {
      const answered = this.many<{ guid: string; conversation: string; at: number }>(
        `SELECT answers AS guid, min(conversation) AS conversation, min(created_at) AS at FROM sends
         WHERE answers IS NOT NULL AND id LIKE 'reply:%' AND answers NOT IN (SELECT guid FROM incoming) GROUP BY answers`,
      );
      for (const { guid, conversation, at } of answered)
        this.keepPlace(null, guid, conversation, 'answered', at);
      this.lookAgain(isPlaceLost);
    }
    if (!readsAgain && this.isDamaged('seen_rows')) this.run1('UPDATE chatdb_reading SET seeded = 0');
    return readsAgain;
  }

  /** Rows of chat.db are looked for by date, and those that nothing else tells of are judged once more. */
  private lookAgain(isPlaceLost: boolean): void {
    this.run1(
      `DELETE FROM seen_rows WHERE guid NOT IN (SELECT guid FROM incoming)
         AND original NOT IN (SELECT guid FROM incoming) AND guid NOT IN (SELECT guid FROM sends WHERE guid IS NOT NULL)`,
    );
    this.run1('DELETE FROM chatdb_pending');
    if (isPlaceLost) {
      this.run1(
        'INSERT OR REPLACE INTO chatdb_cursor (id, generation, row_id, guid) VALUES (1, ?, 0, NULL)',
        SALVAGED_GENERATION,
      );
    }
    this.run1(
      `INSERT INTO chatdb_reading (id, since, seeded, caught_up, look_until)
       SELECT 1, coalesce(min(seen_at), ?), 1, 0, ? FROM incoming WHERE true
       ON CONFLICT (id) DO UPDATE SET seeded = 1, caught_up = 0, look_until = max(coalesce(look_until, 0), excluded.look_until)`,
      this.now - DAY_MS,
      this.now + LONGEST_LOOK_MS,
    );
  }

  private keepPlace(seq: Value, guid: string, conversation: string, state: string, at: number | null): void {
    const settledAt = at ?? this.now;
    const message = {
      guid,
      rowId: 0,
      conversation,
      threadId: conversation,
      chatGuid: conversation,
      sender: conversation,
      text: '',
      sentAt: settledAt,
      isGroup: false,
      participants: [],
      service: '',
      replyToGuid: null,
      attachments: [],
    };
    this.run1(
      `INSERT OR IGNORE INTO incoming (seq, guid, conversation, message, sent_at, seen_at, state, settled_at, last_error)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'its record was damaged')`,
      ...[seq, guid, conversation, JSON.stringify(message), settledAt, settledAt, state, settledAt],
    );
  }

  /** A file is queued again from its message, unless it is known to have been through. */
  private rebuildUploads(): void {
    const { lost, soundIndexes } = this.table('uploads');
    for (const { known, indexes } of lost) {
      const guid = text(known.attachment_guid);
      const ofMessage = text(known.message_guid);
      const isOver = soundIndexes.has('uploads_open') && !indexes.has('uploads_open');
      if (guid === null || ofMessage === null || isOver) continue;
      this.run1(
        `INSERT OR IGNORE INTO uploads (attachment_guid, message_guid, message, state, queued_at)
         SELECT ?, guid, json_object('guid', guid, 'chatGuid', json_extract(message, '$.chatGuid'),
           'conversation', conversation, 'isGroup', json(iif(json_extract(message, '$.isGroup'), 'true', 'false')),
           'text', json_extract(message, '$.text'), 'participants', json_extract(message, '$.participants')), 'open', ?
         FROM incoming WHERE guid = ?`,
        ...[guid, this.now, ofMessage],
      );
    }
  }

  /** An item that ended the agent before is not worked on again, whatever it was that it did. */
  private rebuildSetAside(): void {
    for (const { known } of this.lost('set_aside')) {
      this.run1(
        "INSERT OR IGNORE INTO set_aside (kind, key, at, error) VALUES (?, ?, ?, 'its record was damaged')",
        ...[text(known.kind), text(known.key), number(known.at) ?? this.now],
      );
    }
  }

  private rebuildNumbers(): void {
    if (!this.isDamaged('message_sequences')) return;
    this.run1(
      `INSERT OR IGNORE INTO message_sequences (conversation, newest)
       SELECT conversation, max(sequence) FROM incoming WHERE sequence IS NOT NULL GROUP BY conversation`,
    );
  }

  /** Rather too many count as new than that the limit for strangers is passed. */
  private rebuildRecipients(): void {
    if (!this.isDamaged('new_recipients')) return;
    this.run1(
      `INSERT OR IGNORE INTO new_recipients (conversation, written_at)
       SELECT conversation, max(created_at) FROM sends WHERE created_at > ? GROUP BY conversation`,
      this.now - HOUR_MS,
    );
  }

  private refuseUsedLinks(): void {
    if (!this.isDamaged('used_links') && !this.isDamaged('meta')) return;
    this.run1("INSERT OR REPLACE INTO meta (key, value) VALUES ('used_links_floor', ?)", String(this.now));
  }

  /** Nothing goes out where somebody may have stopped it: only a person can say that there was no pause. */
  private pauseIfLost(): boolean {
    if (!this.isDamaged('pauses')) return false;
    this.run1(
      "INSERT OR IGNORE INTO pauses (conversation, reason, since) VALUES ('*', 'manual', ?)",
      this.now,
    );
    return true;
  }

  /** How much is lost of each table, and whether that is all. */
  private tellBackend(): void {
    const tables = [...this.salvaged].filter(([table]) => this.isDamaged(table));
    if (tables.length === 0) return;
    const lost = Object.fromEntries(tables.map(([table, { lost }]) => [table, lost.length]));
    const mayBeMore = tables.flatMap(([table, { mayHaveLostMore }]) => (mayHaveLostMore ? [table] : []));
    this.event('store_damaged', null, { lost, may_be_more: mayBeMore });
  }

  private hasSend(id: string): boolean {
    return this.one('SELECT 1 FROM sends WHERE id = ? OR part_of = ?', id, id) !== undefined;
  }

  private sendsOf(commandId: string): Send[] {
    return this.many<Send>(
      `SELECT id, state, guid, service, error_code AS errorCode, error, schedule_id AS scheduleId FROM sends
       WHERE command_id = ? ORDER BY seq`,
      commandId,
    );
  }

  /** Ends a command; it is acked now if its backend waits for that, else when it asks again. */
  private finish(commandId: string, verdict: Verdict, isAcked = true): void {
    const known = this.one<{ revision: number; via: string }>(
      'SELECT revision, via FROM commands WHERE command_id = ?',
      commandId,
    );
    if (known === undefined) return;
    const at = new Date(this.now).toISOString();
    const ack: AckBody = {
      command_id: commandId,
      status: verdict.status,
      success: verdict.status === 'completed',
      error: verdict.error,
      completed_at: at,
      timestamp: at,
      revision: known.revision + 1,
      result: verdict.result,
    };
    const body = JSON.stringify(ack);
    this.run1(
      `UPDATE commands SET state = 'done', ack = ?, revision = ?, acked_at = ? WHERE command_id = ?`,
      ...[body, ack.revision, this.now, commandId],
    );
    if (!isAcked || known.via === 'operator') return;
    this.run1(
      'INSERT INTO acks (command_id, revision, body, created_at) VALUES (?, ?, ?, ?)',
      ...[commandId, ack.revision, body, this.now],
    );
  }

  /** Nobody can tell what became of a text, and its row tells it no more. */
  private lostText(conversation: string | null, about: Record<string, unknown>, error = LOST_TEXT): void {
    this.event('message_failed', conversation, {
      outcome: 'unknown',
      code: 'outcome_unknown',
      error,
      retry_safe: false,
      ...about,
    });
  }

  private event(type: string, threadId: string | null, details: Record<string, unknown>): void {
    this.run1(
      'INSERT INTO events (event_id, event_type, thread_id, details, created_at) VALUES (?, ?, ?, ?, ?)',
      ...[freshId('evt'), type, threadId, JSON.stringify(details), this.now],
    );
  }
}

/** States in which a send, or a scheduled text, has ended. */
const SETTLED: ReadonlySet<string> = new Set(['sent', 'failed', 'unknown', 'deduplicated', 'cancelled']);

/** The indexes that tell how a message ended. */
const ENDS = [
  ['incoming_parked', 'parked'],
  ['incoming_expired', 'expired'],
] as const;

interface Cause {
  conversation: string;
  threadId: string;
  text: string;
  commandId: string | null;
}

const OF_SCHEDULE =
  'SELECT conversation, thread_id AS threadId, text, command_id AS commandId FROM schedule WHERE schedule_id = ?';
/** By the names under which a backend may say them; of a thread that it names otherwise the index knows the conversation. */
const OF_COMMAND = `SELECT coalesce(json_extract(body, '$.payload.thread_id'), '') AS conversation,
    coalesce(json_extract(body, '$.payload.thread_id'), '') AS threadId,
    CAST(coalesce(json_extract(body, '$.payload.text'), json_extract(body, '$.payload.message_text'),
      json_extract(body, '$.payload.message'), '') AS TEXT) AS text,
    command_id AS commandId
  FROM commands WHERE command_id = ? AND body <> ''`;
const OF_MESSAGE = `SELECT conversation, json_extract(message, '$.chatGuid') AS threadId, '' AS text, NULL AS commandId
  FROM incoming WHERE guid = ?`;

interface Verdict {
  status: AckBody['status'];
  error: string | null;
  result: Record<string, unknown>;
  isUnknown: boolean;
}

function completed(result: Record<string, unknown>): Verdict {
  return { status: 'completed', error: null, result, isUnknown: false };
}

function failed(message: string, scheduleId: string | null = null): Verdict {
  const result = {
    outcome: 'unknown',
    retry_safe: false,
    ...(scheduleId === null ? {} : { schedule_id: scheduleId }),
  };
  return { status: 'failed', error: `outcome_unknown: ${message}`, result, isUnknown: true };
}

/** What the ack of a command says of which only its texts are known; none: nobody knows what was done. The worst decides. */
function verdictOf(sends: readonly Send[]): Verdict {
  const [first] = sends;
  if (first === undefined) return failed(LOST_COMMAND);
  if (sends.some(({ state }) => state === 'unknown')) return failed(LOST_TEXT, first.scheduleId);
  const fault = sends.find(({ state }) => state === 'failed');
  const sent = sends.find(({ state }) => state === 'sent' || state === 'deduplicated');
  const schedule = first.scheduleId === null ? {} : { schedule_id: first.scheduleId };
  if (fault !== undefined) {
    const isSafe = sent === undefined && fault.guid === null;
    const outcome = sent === undefined ? 'not_sent' : 'partly_sent';
    const error = `${fault.errorCode ?? 'send_failed'}: ${fault.error ?? 'The text was not sent.'}`;
    return {
      status: 'failed',
      error,
      result: { outcome, retry_safe: isSafe, ...schedule },
      isUnknown: false,
    };
  }
  return completed({
    outcome: 'sent',
    retry_safe: false,
    confirmed: sent?.guid !== null,
    ...(sent?.guid == null ? {} : { message_guid: sent.guid }),
    ...(sent?.service == null ? {} : { service: sent.service }),
    ...schedule,
  });
}

function text(value: Value | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: Value | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
