import type { IncomingMessage } from '../model/incoming.js';
import type { SendState } from '../model/sending.js';
import { isWholeMessage } from './incoming.js';
import type { Database, Statement } from './sqlite.js';
import type { StoredRows } from './storedRows.js';

/** A message as it came in. `at` is when it was sent, Unix ms. */
export interface ReceivedText {
  message: IncomingMessage;
  state: 'open' | 'answered' | 'parked' | 'expired';
}

/** A text as it went out, or is to. `at` is when its outcome was known, else when it was stored, Unix ms. */
export interface SentText {
  id: string;
  conversation: string;
  text: string;
  file: string | null;
  state: SendState;
  guid: string | null;
  at: number;
}

/** How texts ended within an hour that begins at `from` (Unix ms). */
interface SentInHour {
  from: number;
  state: SendState;
  count: number;
}

/** What came in and went out, for somebody who looks: nothing here changes a row, nothing is asked of more rows than `limit`. */
export class RecentTexts {
  private readonly selectReceived: Statement;
  private readonly selectSent: Statement;
  private readonly selectHours: Statement;
  private readonly selectLatencies: Statement;

  constructor(
    database: Database,
    private readonly rows: StoredRows,
  ) {
    this.selectReceived = database.prepare(
      'SELECT guid, message, state FROM incoming ORDER BY seq DESC LIMIT ?',
    );
    this.selectSent = database.prepare(
      `SELECT id, conversation, text, file, state, guid, coalesce(settled_at, created_at) AS at
       FROM sends ORDER BY seq DESC LIMIT ?`,
    );
    this.selectHours = database.prepare(
      `SELECT settled_at - settled_at % 3600000 AS "from", state, count(*) AS count FROM
         (SELECT settled_at, state FROM sends WHERE settled_at > ? ORDER BY settled_at DESC LIMIT ?)
       GROUP BY 1, 2`,
    );
    this.selectLatencies = database
      .prepare(
        `SELECT settled_at - created_at FROM
           (SELECT settled_at, created_at, state FROM sends WHERE settled_at > ? ORDER BY settled_at DESC LIMIT ?)
         WHERE state = 'sent'`,
      )
      .pluck();
  }

  /** The newest first. */
  received(limit: number): ReceivedText[] {
    const rows = this.selectReceived.all(limit) as {
      guid: string;
      message: string;
      state: ReceivedText['state'];
    }[];
    return rows.flatMap(({ guid, message, state }) => {
      const stored = this.rows.object<IncomingMessage>('incoming', guid, message, isWholeMessage);
      return stored === undefined ? [] : [{ message: stored, state }];
    });
  }

  /** The newest first. */
  sent(limit: number): SentText[] {
    return this.selectSent.all(limit) as SentText[];
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
