import type { Database, Statement } from './sqlite.js';

/** What waits in the store, by the names that the status has for it. */
const WAITING = {
  commands_waiting: "SELECT min(received_at) FROM commands WHERE state = 'open'",
  acks_undelivered: 'SELECT min(created_at) FROM acks',
  events_undelivered: 'SELECT min(created_at) FROM events',
  incoming_queued: "SELECT min(seen_at) FROM incoming WHERE state = 'open'",
  incoming_parked: "SELECT min(settled_at) FROM incoming WHERE state = 'parked'",
  sends_queued: `SELECT min(created_at) FROM sends WHERE state IN ('staging', 'queued', 'attempting', 'confirming')`,
  uploads_queued: "SELECT min(queued_at) FROM uploads WHERE state = 'open'",
} as const;

type Waiting = keyof typeof WAITING;

/** Since when the oldest of each kind has been waiting. Reads as much as the counts of the same things do. */
export class Backlog {
  private readonly statements: readonly (readonly [Waiting, Statement])[];

  constructor(database: Database) {
    this.statements = (Object.keys(WAITING) as Waiting[]).map((name) => [
      name,
      database.prepare(WAITING[name]).pluck(),
    ]);
  }

  /** Unix ms; null where nothing waits. */
  oldest(): Record<Waiting, number | null> {
    return Object.fromEntries(
      this.statements.map(([name, statement]) => [name, statement.get() as number | null]),
    ) as Record<Waiting, number | null>;
  }
}
