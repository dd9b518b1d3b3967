import type { IncomingTable } from './incoming.js';
import type { Database, Statement } from './sqlite.js';

/** A message that was set aside because it could not be delivered to the backend. Times are Unix ms. */
interface DeadLetter {
  guid: string;
  conversation: string;
  sentAt: number;
  deadLetteredAt: number;
  attempts: number;
  error: string | null;
}

/** The messages that were set aside, until an operator has them posted again or gives them up. */
export class DeadLetters {
  private readonly select: Statement;
  private readonly selectCount: Statement;
  private readonly selectOldest: Statement;
  private readonly open: Statement;
  private readonly expire: Statement;

  constructor(
    database: Database,
    private readonly incoming: Pick<IncomingTable, 'reopened'>,
  ) {
    this.select = database.prepare(
      `SELECT guid, conversation, sent_at AS sentAt, settled_at AS deadLetteredAt, attempts, last_error AS error
       FROM incoming WHERE state = 'parked' ORDER BY seq LIMIT +?`,
    );
    this.selectCount = database.prepare("SELECT count(*) FROM incoming WHERE state = 'parked'").pluck();
    this.selectOldest = database
      .prepare("SELECT min(settled_at) FROM incoming WHERE state = 'parked'")
      .pluck();
    this.open = database.prepare(
      `UPDATE incoming SET state = 'open', retry_at = 0, strikes = 0, first_strike_at = NULL, settled_at = NULL, last_error = NULL
       WHERE guid = ? AND state = 'parked' RETURNING conversation`,
    );
    this.expire = database.prepare(
      "UPDATE incoming SET state = 'expired' WHERE guid = ? AND state = 'parked'",
    );
  }

  /** The oldest first. */
  list(limit: number): DeadLetter[] {
    return this.select.all(limit) as DeadLetter[];
  }

  count(): number {
    return this.selectCount.get() as number;
  }

  /** When the first of them was set aside, Unix ms; null: there is none. */
  since(): number | null {
    return this.selectOldest.get() as number | null;
  }

  /** Inside a write: one is to be posted again; false if there is none of that guid. */
  reopen(guid: string): boolean {
    const row = this.open.get(guid) as { conversation: string } | undefined;
    if (row === undefined) return false;
    this.incoming.reopened(row.conversation);
    return true;
  }

  /** Inside a write: drops one permanently; false if there is none with that guid. */
  drop(guid: string): boolean {
    return this.expire.run(guid).changes > 0;
  }
}
