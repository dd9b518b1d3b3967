import type { Clock } from '../system/clock.js';
import { columns, type Database, type Statement, type StoredRows } from './sqlite.js';

/** The message of a file, sent to the backend with it. */
export interface UploadMessage {
  guid: string;
  chatGuid: string;
  conversation: string;
  isGroup: boolean;
  text: string;
  participants: string[];
}

/** An incoming file that the backend is to get. Times are Unix ms. */
export interface UploadRecord {
  seq: number;
  attachmentGuid: string;
  message: UploadMessage;
  attempts: number;
  retryAt: number;
  /** When it was queued, for the first time or again: identifies the queueing. */
  queuedAt: number;
}

type UploadRow = Omit<UploadRecord, 'message'> & { message: string };

const COLUMNS = columns<UploadRow>('seq', 'attachmentGuid', 'message', 'attempts', 'retryAt', 'queuedAt');

/** Files to be uploaded: stored once by guid, open until the backend has them or they are given up. */
export class UploadTable {
  private readonly insert: Statement;
  private readonly selectOpen: Statement;
  private readonly selectMessage: Statement;
  private readonly updateRetry: Statement;
  private readonly updateSettled: Statement;
  private readonly updateReopened: Statement;
  private readonly updateRetryBy: Statement;
  private readonly updateText: Statement;
  private readonly deleteOfMessage: Statement;
  private readonly deleteFile: Statement;
  private readonly countOpen: Statement;
  private readonly countFailed: Statement;
  private lastDoneAt: number | null = null;

  constructor(
    database: Database,
    private readonly clock: Clock,
    private readonly rows: StoredRows,
  ) {
    this.insert = database.prepare(
      `INSERT INTO uploads (attachment_guid, message_guid, message, state, queued_at) VALUES (?, ?, ?, 'open', ?)
       ON CONFLICT (attachment_guid) DO NOTHING`,
    );
    this.selectOpen = database.prepare(
      `SELECT ${COLUMNS} FROM uploads WHERE state = 'open' ORDER BY retry_at, seq LIMIT +?`,
    );
    this.selectMessage = database
      .prepare("SELECT message FROM uploads WHERE seq = ? AND queued_at = ? AND state = 'open'")
      .pluck();
    this.updateRetry = database.prepare(
      'UPDATE uploads SET attempts = attempts + 1, retry_at = ?, error = ? WHERE seq = ? AND queued_at = ?',
    );
    this.updateSettled = database.prepare(
      'UPDATE uploads SET state = ?, error = ?, settled_at = ? WHERE seq = ? AND queued_at = ?',
    );
    this.updateReopened = database.prepare(
      `UPDATE uploads SET state = 'open', attempts = 0, retry_at = 0, queued_at = max(?, queued_at + 1), error = NULL,
         settled_at = NULL WHERE attachment_guid = ?`,
    );
    this.updateRetryBy = database.prepare(
      "UPDATE uploads SET retry_at = ? WHERE state = 'open' AND retry_at > ?",
    );
    this.updateText = database.prepare(
      "UPDATE uploads SET message = json_set(message, '$.text', ?) WHERE message_guid = ? AND json_valid(message)",
    );
    this.deleteOfMessage = database.prepare('DELETE FROM uploads WHERE message_guid = ?');
    this.deleteFile = database.prepare('DELETE FROM uploads WHERE attachment_guid = ?');
    this.countFailed = database
      .prepare("SELECT count(*) FROM uploads WHERE settled_at IS NOT NULL AND state = 'failed'")
      .pluck();
    this.countOpen = database.prepare("SELECT count(*) FROM uploads WHERE state = 'open'").pluck();
  }

  /** Inside a write; false if the file is known already (then nothing changes). */
  add(attachmentGuid: string, message: UploadMessage): boolean {
    const body = JSON.stringify(message);
    return this.insert.run(attachmentGuid, message.guid, body, this.clock.now()).changes > 0;
  }

  /** Open ones, those first whose turn comes first; one that is damaged is left out. */
  open(limit: number): UploadRecord[] {
    return (this.selectOpen.all(limit) as UploadRow[]).flatMap((row) => {
      const message = this.read(row.attachmentGuid, row.message);
      return message === undefined ? [] : { ...row, message };
    });
  }

  /** The current message of an open one; undefined if it is no longer open, or was queued again meanwhile. */
  messageOf({ seq, queuedAt, attachmentGuid }: UploadRecord): UploadMessage | undefined {
    const message = this.selectMessage.get(seq, queuedAt) as string | undefined;
    return message === undefined ? undefined : this.read(attachmentGuid, message);
  }

  private read(attachmentGuid: string, message: string): UploadMessage | undefined {
    return this.rows.object(
      'uploads',
      attachmentGuid,
      message,
      (fields) => typeof fields.conversation === 'string',
    );
  }

  /** Inside a write: the message of these files has another text now. */
  rewrite(messageGuid: string, text: string): void {
    this.updateText.run(text, messageGuid);
  }

  /** Inside a write: the message was unsent. Its files are deleted from the queue, so they cannot be requested again. */
  withdraw(messageGuid: string): void {
    this.deleteOfMessage.run(messageGuid);
  }

  /** Inside a write: the file was taken back, and the rest of its message was not. */
  withdrawFile(attachmentGuid: string): void {
    this.deleteFile.run(attachmentGuid);
  }

  /**
   * Inside a write: counts an attempt and puts the next one off until then (Unix ms). Nothing if the file was queued
   * again meanwhile.
   */
  retryAt({ seq, queuedAt }: UploadRecord, at: number, error: string): void {
    this.updateRetry.run(at, error, seq, queuedAt);
  }

  /** Inside a write; false, and nothing is changed, if the file was queued again meanwhile. `error`: why it was given up. */
  settle({ seq, queuedAt }: UploadRecord, state: 'done' | 'failed', error: string | null = null): boolean {
    const now = this.clock.now();
    if (state === 'done') this.lastDoneAt = now;
    return this.updateSettled.run(state, error, now, seq, queuedAt).changes > 0;
  }

  /** When the backend last took one in this life of the agent, Unix ms; null: it has not yet. */
  get doneAt(): number | null {
    return this.lastDoneAt;
  }

  /** Inside a write: queues a file again, whatever became of it; false if it is not known. */
  reopen(attachmentGuid: string): boolean {
    return this.updateReopened.run(this.clock.now(), attachmentGuid).changes > 0;
  }

  /** Inside a write: whatever waits for a retry may be tried now. */
  retryNow(): void {
    this.retryBy(0);
  }

  /** Inside a write: nothing waits for a retry longer than until then (Unix ms). */
  retryBy(at: number): void {
    this.updateRetryBy.run(at, at);
  }

  /** How many were given up in the last 7 days. */
  countGivenUp(): number {
    return this.countFailed.get() as number;
  }

  countWaiting(): number {
    return this.countOpen.get() as number;
  }
}
