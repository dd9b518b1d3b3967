import type { OutgoingFile } from '../model/sending.js';
import type { Clock } from '../system/clock.js';
import { columns, type Database, type Statement, type StoredRows } from './sqlite.js';

export type ScheduleState = 'pending' | 'sending' | 'sent' | 'failed' | 'cancelled';

interface NewScheduledText {
  scheduleId: string;
  commandId: string;
  conversation: string;
  threadId: string;
  text: string;
  priority: number;
  /** Unix ms. */
  sendAt: number;
  /** The files sent with the text; undefined: none. */
  files?: readonly OutgoingFile[];
}

export interface ScheduledText extends NewScheduledText {
  createdAt: number;
  state: ScheduleState;
  error: string | null;
  /** Its files cannot be read, and it must not be sent without them. */
  isDamaged?: true;
  settledAt: number | null;
}

const COLUMNS = columns<ScheduleRow>(
  'scheduleId',
  'commandId',
  'conversation',
  'threadId',
  'text',
  'priority',
  'sendAt',
  'createdAt',
  'state',
  'error',
  'settledAt',
  'files',
);

type ScheduleRow = Omit<ScheduledText, 'files'> & { files: string | null };

/** Texts to be sent later. */
export class ScheduleTable {
  private readonly insert: Statement;
  private readonly selectDue: Statement;
  private readonly selectNext: Statement;
  private readonly selectByEitherId: Statement;
  private readonly selectByState: Statement;
  private readonly selectAll: Statement;
  private readonly update: Statement;
  private readonly countPending: Statement;
  private readonly selectFiles: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    private readonly rows: StoredRows,
  ) {
    this.insert = database.prepare(
      `INSERT INTO schedule (schedule_id, command_id, conversation, thread_id, text, priority, send_at, created_at, state, files)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)`,
    );
    this.selectDue = database.prepare(
      `SELECT ${COLUMNS} FROM schedule WHERE state = 'pending' AND send_at BETWEEN ? AND ? ORDER BY send_at, seq LIMIT +?`,
    );
    this.selectNext = database
      .prepare("SELECT min(send_at) FROM schedule WHERE state = 'pending' AND send_at >= ?")
      .pluck();
    this.selectByEitherId = database.prepare(
      `SELECT ${COLUMNS} FROM schedule WHERE schedule_id = @id UNION ALL
       SELECT ${COLUMNS} FROM schedule WHERE command_id = @id LIMIT 1`,
    );
    this.selectByState = database.prepare(
      `SELECT ${COLUMNS} FROM schedule WHERE state = ? ORDER BY send_at, seq LIMIT +?`,
    );
    this.selectAll = database.prepare(`SELECT ${COLUMNS} FROM schedule ORDER BY send_at, seq LIMIT +?`);
    this.update = database.prepare(
      'UPDATE schedule SET state = ?, error = ?, settled_at = ? WHERE schedule_id = ?',
    );
    this.countPending = database.prepare("SELECT count(*) FROM schedule WHERE state = 'pending'").pluck();
    this.selectFiles = database.prepare(
      "SELECT schedule_id AS scheduleId, files FROM schedule WHERE state = 'pending' AND files IS NOT NULL ORDER BY seq",
    );
  }

  add(text: NewScheduledText): void {
    const { scheduleId, commandId, conversation, threadId, priority, sendAt } = text;
    this.insert.run(
      scheduleId,
      commandId,
      conversation,
      threadId,
      text.text,
      priority,
      sendAt,
      this.clock.now(),
      text.files === undefined || text.files.length === 0 ? null : JSON.stringify(text.files),
    );
  }

  /** Pending texts that are due at `now`, and not before `from`, the longest due first. */
  due(now: number, limit: number, from = Number.NEGATIVE_INFINITY): ScheduledText[] {
    return (this.selectDue.all(from, now, limit) as ScheduleRow[]).map(this.read);
  }

  /** When the next pending text is due, of those that are not due before `from`. */
  nextDueAt(from = Number.NEGATIVE_INFINITY): number | undefined {
    return (this.selectNext.get(from) as number | null) ?? undefined;
  }

  /** By its own id, or by that of the command which scheduled it. */
  find(id: string): ScheduledText | undefined {
    const row = this.selectByEitherId.get({ id }) as ScheduleRow | undefined;
    return row === undefined ? undefined : this.read(row);
  }

  list(state: ScheduleState | undefined, limit: number): ScheduledText[] {
    const rows = state === undefined ? this.selectAll.all(limit) : this.selectByState.all(state, limit);
    return (rows as ScheduleRow[]).map(this.read);
  }

  /** The staged files of every text that is still to be sent. */
  stagedFiles(): string[] {
    return (this.selectFiles.all() as { scheduleId: string; files: string }[])
      .flatMap(({ scheduleId, files }) => this.rows.list<OutgoingFile>('schedule', scheduleId, files) ?? [])
      .flatMap((file) => ('path' in file ? [file.path] : []));
  }

  private readonly read = ({ files, ...text }: ScheduleRow): ScheduledText => {
    if (files === null) return text;
    const listed = this.rows.list<OutgoingFile>('schedule', text.scheduleId, files);
    return listed === undefined ? { ...text, isDamaged: true } : { ...text, files: listed };
  };

  setState(scheduleId: string, state: ScheduleState, error: string | null = null): void {
    const settled = state === 'pending' || state === 'sending' ? null : this.clock.now();
    this.update.run(state, error, settled, scheduleId);
  }

  pendingCount(): number {
    return this.countPending.get() as number;
  }
}
