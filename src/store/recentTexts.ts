import type { IncomingMessage } from '../model/incoming.js';
import type { SendState } from '../model/sending.js';
import { isWholeMessage } from './incoming.js';
import type { Database, Statement, StoredRows } from './sqlite.js';

/** A message as it came in. `attempts`: how often it was posted; `settledAt`: when it was answered or given up, Unix ms. */
export interface ReceivedText {
  message: IncomingMessage;
  state: 'open' | 'answered' | 'parked' | 'expired';
  attempts: number;
  settledAt: number | null;
  error: string | null;
}

/** A text that was or will be sent. `at` is when its outcome was known, else when it was stored, Unix ms. */
export interface SentText {
  id: string;
  conversation: string;
  text: string;
  file: string | null;
  state: SendState;
  guid: string | null;
  at: number;
  settledAt: number | null;
  attempts: number;
  service: string | null;
  commandId: string | null;
  error: string | null;
}

/** What waits in a conversation: messages for the backend, messages that were set aside, and texts to be sent. */
interface Backlog {
  waiting: number;
  parked: number;
  unsent: number;
}

const RECEIVED = 'guid, message, state, attempts, settled_at AS settledAt, last_error AS error';
const SENT = `id, conversation, text, file, state, guid, coalesce(settled_at, created_at) AS at, settled_at AS settledAt,
  tries AS attempts, service, command_id AS commandId, error`;

/** How texts ended within an hour that begins at `from` (Unix ms). */
interface SentInHour {
  from: number;
  state: SendState;
  count: number;
}

/** Read-only queries of received and sent texts for operators; none reads more rows than `limit`. */
export class RecentTexts {
  private readonly selectReceived: Statement;
  private readonly selectReceivedIn: Statement;
  private readonly selectSent: Statement;
  private readonly selectSentIn: Statement;
  private readonly countBacklog: Statement;
  private readonly selectHours: Statement;
  private readonly selectLatencies: Statement;
  private readonly selectReceivedHours: Statement;

  constructor(
    database: Database,
    private readonly rows: StoredRows,
  ) {
    this.selectReceived = database.prepare(`SELECT ${RECEIVED} FROM incoming ORDER BY seq DESC LIMIT +?`);
    this.selectReceivedIn = database.prepare(
      `SELECT ${RECEIVED} FROM incoming WHERE conversation = ? ORDER BY seq DESC LIMIT +?`,
    );
    this.selectSent = database.prepare(`SELECT ${SENT} FROM sends ORDER BY seq DESC LIMIT +?`);
    this.selectSentIn = database.prepare(
      `SELECT ${SENT} FROM sends WHERE conversation = ? AND created_at > 0 ORDER BY seq DESC LIMIT +?`,
    );
    this.countBacklog = database.prepare(
      `SELECT (SELECT count(*) FROM incoming WHERE conversation = @in AND state = 'open') AS waiting,
         (SELECT count(*) FROM incoming WHERE conversation = @in AND state = 'parked') AS parked,
         (SELECT count(*) FROM sends WHERE conversation = @in
            AND (state = 'queued' OR state = 'attempting' OR state = 'confirming' OR state = 'staging')) AS unsent`,
    );
    this.selectHours = database.prepare(
      `SELECT settled_at - settled_at % 3600000 AS "from", state, count(*) AS count FROM
         (SELECT settled_at, state FROM sends WHERE settled_at > ? ORDER BY settled_at DESC LIMIT +?)
       GROUP BY 1, 2`,
    );
    this.selectLatencies = database
      .prepare(
        `SELECT settled_at - created_at FROM
           (SELECT settled_at, created_at, state FROM sends WHERE settled_at > ? ORDER BY settled_at DESC LIMIT +?)
         WHERE state = 'sent'`,
      )
      .pluck();
    this.selectReceivedHours = database.prepare(
      `SELECT seen_at - seen_at % 3600000 AS "from", count(*) AS count FROM
         (SELECT seen_at FROM incoming ORDER BY seq DESC LIMIT +?)
       WHERE seen_at > ? GROUP BY 1`,
    );
  }

  /** How many of the newest `limit` messages came in, by hour (Unix ms); those after `since`. */
  receivedHours(since: number, limit: number): { from: number; count: number }[] {
    return this.selectReceivedHours.all(limit, since) as { from: number; count: number }[];
  }

  /** The newest first: of all conversations, or of one. */
  received(limit: number, conversation?: string): ReceivedText[] {
    const rows = (
      conversation === undefined
        ? this.selectReceived.all(limit)
        : this.selectReceivedIn.all(conversation, limit)
    ) as (Omit<ReceivedText, 'message'> & { guid: string; message: string })[];
    return rows.flatMap(({ guid, message, ...became }) => {
      const stored = this.rows.object<IncomingMessage>('incoming', guid, message, isWholeMessage);
      return stored === undefined ? [] : [{ message: stored, ...became }];
    });
  }

  /** The newest first: of all conversations, or of one. */
  sent(limit: number, conversation?: string): SentText[] {
    const rows =
      conversation === undefined ? this.selectSent.all(limit) : this.selectSentIn.all(conversation, limit);
    return rows as SentText[];
  }

  backlog(conversation: string): Backlog {
    return this.countBacklog.get({ in: conversation }) as Backlog;
  }

  /** Of the newest `limit` texts that ended after `since` (Unix ms). */
  hours(since: number, limit: number): SentInHour[] {
    return this.selectHours.all(since, limit) as SentInHour[];
  }

  /** How long texts that were sent had been waiting when their outcome was known, ms; the same texts as in `hours`. */
  latencies(since: number, limit: number): number[] {
    return this.selectLatencies.all(since, limit) as number[];
  }
}
