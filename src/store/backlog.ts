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

/** How many of each kind wait, and since when the oldest does: by indexes, so that it costs little however many wait. */
export class Backlog {
  private readonly selectCounts: readonly (readonly [Waiting, Statement])[];
  private readonly selectOldest: readonly (readonly [Waiting, Statement])[];
  private readonly selectAllHeld: Statement;
  private readonly selectOpen: Statement;
  private readonly selectHeld: Statement;
  private readonly selectFailed: Statement;
  private readonly selectUploads: Statement;

  constructor(database: Database) {
    const each = (query: (since: string, rows: string) => string) =>
      (Object.keys(WAITING) as Waiting[]).map((name) => {
        const [since, rows] = WAITING[name];
        return [name, database.prepare(query(since, rows)).pluck()] as const;
      });
    this.selectCounts = each((_, rows) => `SELECT count(*) FROM ${rows}`);
    this.selectOldest = each((since, rows) => {
      if (since === 'created_at' && rows.startsWith('sends ')) return oldestInLanes(rows);
      // Numbered as they came, and there is no index by time.
      return since === 'received_at'
        ? `SELECT ${since} FROM ${rows} ORDER BY seq LIMIT 1`
        : `SELECT min(${since}) FROM ${rows}`;
    });
    const open = "incoming WHERE state = 'open'";
    const paused = 'SELECT pauses.conversation FROM pauses WHERE pauses.incoming = 1';
    this.selectAllHeld = database.prepare(`SELECT '*' IN (${paused})`).pluck();
    this.selectOpen = database.prepare(`SELECT count(*) FROM ${open}`).pluck();
    this.selectHeld = database
      .prepare(`SELECT count(*) FROM ${open} AND conversation IN (${paused})`)
      .pluck();
    this.selectFailed = database.prepare(
      `SELECT coalesce(sum(messages), 0) AS failed, count(*) AS conversations, min(since) AS since FROM (
         SELECT count(*) AS messages, min(seen_at) AS since FROM ${open} AND last_error IS NOT NULL
           AND conversation NOT IN (${paused}) GROUP BY conversation)`,
    );
    this.selectUploads = database.prepare(
      `SELECT count(*) AS waiting, min(queued_at) AS since FROM uploads
       WHERE state = 'open' AND NOT ${isHeld("iif(json_valid(message), json_extract(message, '$.conversation'), '')")}`,
    );
  }

  posts(): WaitingPosts {
    if (this.selectAllHeld.get() === 1) return { waiting: 0, failed: 0, conversations: 0, since: null };
    const failed = this.selectFailed.get() as Omit<WaitingPosts, 'waiting'>;
    return { waiting: (this.selectOpen.get() as number) - (this.selectHeld.get() as number), ...failed };
  }

  uploads(): WaitingUploads {
    return this.selectUploads.get() as WaitingUploads;
  }

  /** Unix ms; null where nothing waits. */
  oldest(): Record<Waiting, number | null> {
    return answers<number | null>(this.selectOldest);
  }

  counts(): Record<Waiting, number> {
    return answers<number>(this.selectCounts);
  }
}

/**
 * When the oldest text in the lanes was entered: one step per lane, however many texts are in them. The search ends at
 * the first text in its original place; those after it were entered later, and those before it have the places of texts
 * that failed.
 */
function oldestInLanes(lane: string): string {
  return `WITH RECURSIVE lanes(name) AS (
      SELECT min(conversation) FROM ${lane}
      UNION ALL SELECT (SELECT min(conversation) FROM ${lane} AND conversation > name) FROM lanes WHERE name IS NOT NULL)
    SELECT min((SELECT min(created_at) FROM ${lane} AND conversation = name AND place <= coalesce(
      (SELECT place FROM ${lane} AND conversation = name AND +place = seq ORDER BY place, seq LIMIT 1), ${Number.MAX_SAFE_INTEGER})))
    FROM lanes WHERE name IS NOT NULL`;
}

function answers<T extends number | null>(
  statements: readonly (readonly [Waiting, Statement])[],
): Record<Waiting, T> {
  return Object.fromEntries(
    statements.map(([name, statement]) => [name, (statement.get() ?? null) as T]),
  ) as Record<Waiting, T>;
}
