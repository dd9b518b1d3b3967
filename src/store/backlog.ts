import type { Database, Statement } from './sqlite.js';

/** What waits in the store, by the names that the status has for it. */
const WAITING = {
  commands_waiting: ['received_at', "commands WHERE state = 'open'"],
  acks_undelivered: ['created_at', 'acks'],
  events_undelivered: ['created_at', 'events'],
  incoming_queued: ['seen_at', "incoming WHERE state = 'open'"],
  incoming_parked: ['settled_at', "incoming WHERE state = 'parked'"],
  sends_queued: [
    'created_at',
    "sends WHERE (state = 'queued' OR state = 'attempting' OR state = 'confirming' OR state = 'staging')",
  ],
  uploads_queued: ['queued_at', "uploads WHERE state = 'open'"],
} as const;

type Waiting = keyof typeof WAITING;

const isHeld = (conversation: string) =>
  `EXISTS (SELECT 1 FROM pauses WHERE pauses.incoming = 1 AND pauses.conversation IN ('*', ${conversation}))`;

/** Messages that are to be posted and that no pause holds. Unix ms; null: there is none. */
interface WaitingPosts {
  readonly waiting: number;
  /** Those of them of which a post has failed: in so many conversations, and since when the oldest waits. */
  readonly failed: number;
  readonly conversations: number;
  readonly since: number | null;
}

/** Files that are to be uploaded and that no pause holds: how many, and since when the oldest waits (Unix ms). */
interface WaitingUploads {
  readonly waiting: number;
  readonly since: number | null;
}

/** How many of each kind wait, and since when the oldest does. Reads as much as the counts of the same things do. */
export class Backlog {
  private readonly statements: readonly (readonly [Waiting, Statement])[];
  private readonly selectPosts: Statement;
  private readonly selectUploads: Statement;

  constructor(database: Database) {
    this.statements = (Object.keys(WAITING) as Waiting[]).map((name) => {
      const [since, rows] = WAITING[name];
      return [name, database.prepare(`SELECT count(*) AS count, min(${since}) AS oldest FROM ${rows}`)];
    });
    this.selectPosts = database.prepare(
      `SELECT count(*) AS waiting, count(last_error) AS failed, min(iif(last_error IS NULL, NULL, seen_at)) AS since,
         count(DISTINCT iif(last_error IS NULL, NULL, conversation)) AS conversations
       FROM incoming WHERE state = 'open' AND NOT ${isHeld('incoming.conversation')}`,
    );
    this.selectUploads = database.prepare(
      `SELECT count(*) AS waiting, min(queued_at) AS since FROM uploads
       WHERE state = 'open' AND NOT ${isHeld("iif(json_valid(message), json_extract(message, '$.conversation'), '')")}`,
    );
  }

  posts(): WaitingPosts {
    return this.selectPosts.get() as WaitingPosts;
  }

  uploads(): WaitingUploads {
    return this.selectUploads.get() as WaitingUploads;
  }

  /** Unix ms; null where nothing waits. */
  oldest(): Record<Waiting, number | null> {
    return this.each(({ oldest }) => oldest);
  }

  counts(): Record<Waiting, number> {
    return this.each(({ count }) => count);
  }

  private each<T>(pick: (kind: { count: number; oldest: number | null }) => T): Record<Waiting, T> {
    return Object.fromEntries(
      this.statements.map(([name, statement]) => [
        name,
        pick(statement.get() as { count: number; oldest: number | null }),
      ]),
    ) as Record<Waiting, T>;
  }
}
