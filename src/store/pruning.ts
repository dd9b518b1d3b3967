import { SEEN_KEPT_DAYS } from './cursor.js';
import type { Database, Statement } from './sqlite.js';

const DAY_MS = 86_400_000;
/** Finished items are not needed after this time. */
export const ENDED_KEPT_MS = 7 * DAY_MS;

/**
 * The statements that forget. Each takes what is older than `@before`, at most `@limit` rows, by an index. A send is kept
 * while its later life is followed; a command's content goes with the other ended things, its id and ack stay longer,
 * as does a dead letter that no operator looked at.
 */
const ENDED = [
  "DELETE FROM incoming WHERE seq IN (SELECT seq FROM incoming WHERE settled_at IS NOT NULL AND settled_at < @before AND state <> 'parked' AND held_reply IS NULL LIMIT +@limit)",
  'DELETE FROM sends WHERE seq IN (SELECT seq FROM sends WHERE settled_at IS NOT NULL AND settled_at < @before AND life_until IS NULL AND watch_until IS NULL AND staged = 0 LIMIT +@limit)',
  'DELETE FROM schedule WHERE seq IN (SELECT seq FROM schedule WHERE settled_at IS NOT NULL AND settled_at < @before LIMIT +@limit)',
  'DELETE FROM target_forms WHERE conversation IN (SELECT conversation FROM target_forms WHERE learnt_at < @before LIMIT +@limit)',
  'DELETE FROM uploads WHERE seq IN (SELECT seq FROM uploads WHERE settled_at IS NOT NULL AND settled_at < @before LIMIT +@limit)',
  'DELETE FROM exchanges WHERE conversation IN (SELECT conversation FROM exchanges WHERE at < @before LIMIT +@limit)',
  'DELETE FROM told WHERE key IN (SELECT key FROM told WHERE at < @before LIMIT +@limit)',
  'DELETE FROM trials WHERE (kind, key) IN (SELECT kind, key FROM trials WHERE at < @before LIMIT +@limit)',
  'DELETE FROM set_aside WHERE (kind, key) IN (SELECT kind, key FROM set_aside WHERE at < @before LIMIT +@limit)',
];
const DEAD_LETTERS =
  "DELETE FROM incoming WHERE seq IN (SELECT seq FROM incoming WHERE settled_at IS NOT NULL AND settled_at < @before AND state = 'parked' LIMIT +@limit)";
const COMMANDS =
  "DELETE FROM commands WHERE seq IN (SELECT seq FROM commands WHERE state = 'done' AND acked_at < @before LIMIT +@limit)";

/**
 * Tables without an index by date, which each row would have to be written into: they are walked by their key. `from` and `to` of a
 * statement are keys, `before` is Unix ms.
 */
interface WalkedTable {
  /** The key and, where rows are numbered in the order of their dates, the date of the next rows. */
  readonly page: string;
  readonly forget: string;
  readonly first: number | string;
  /** How much longer than what ended, in ms. */
  readonly longerMs: number;
}

const WALKED: readonly WalkedTable[] = [
  ...['acks created_at', 'events created_at', 'text_journal at'].map((named) => {
    const [table = '', date = ''] = named.split(' ');
    return {
      page: `SELECT seq AS key, ${date} AS at FROM ${table} WHERE seq > ? ORDER BY seq LIMIT +?`,
      forget: `DELETE FROM ${table} WHERE seq > @from AND seq <= @to AND ${date} < @before`,
      first: 0,
      longerMs: 0,
    };
  }),
  {
    page: 'SELECT seq AS key, received_at AS at FROM commands WHERE seq > ? ORDER BY seq LIMIT +?',
    forget: `UPDATE commands SET body = ''
       WHERE seq > @from AND seq <= @to AND state = 'done' AND body <> '' AND acked_at < @before`,
    first: 0,
    longerMs: 0,
  },
  {
    page: 'SELECT guid AS key, NULL AS at FROM seen_rows WHERE guid > ? ORDER BY guid LIMIT +?',
    forget: 'DELETE FROM seen_rows WHERE guid > @from AND guid <= @to AND seen_at < @before',
    first: '',
    // A message may be answered at an age of 30 days (`imessage.catch_up_hours`): so its copies are recognised for that
    // long.
    longerMs: SEEN_KEPT_DAYS * DAY_MS - ENDED_KEPT_MS,
  },
];

/** A walk goes over so many rows at most before it rests until the next round. */
const MOST_WALKED = 50_000;

interface WalkedRow {
  key: number | string;
  at: number | null;
}

/**
 * A walk through a table, a page at each step. Each row is judged by its own date. The walk ends, and starts again in
 * the next round, at the end of the table or at the first young row: no row after it is older, unless the clock was set
 * meanwhile; then that one is kept longer. A row that is dated in the future, by a clock that was ahead, is skipped.
 */
class Walk {
  private readonly selectPage: Statement;
  private readonly forget: Statement;
  private from: number | string;
  private walked = 0;
  private isOver = false;

  constructor(
    database: Database,
    private readonly table: WalkedTable,
  ) {
    this.selectPage = database.prepare(table.page);
    this.forget = database.prepare(table.forget);
    this.from = table.first;
  }

  /** How many rows were dealt with; 0: it is over in this round. */
  step(ended: number, limit: number): { forgotten: number; passed: number } {
    if (this.isOver) return { forgotten: 0, passed: 0 };
    const before = ended - this.table.longerMs;
    const now = ended + ENDED_KEPT_MS;
    const rows = this.selectPage.all(this.from, limit) as WalkedRow[];
    const young = rows.findIndex(({ at }) => at !== null && at >= before && at <= now);
    const passed = young === -1 ? rows : rows.slice(0, young);
    const to = passed.at(-1)?.key;
    const forgotten = to === undefined ? 0 : this.forget.run({ from: this.from, to, before }).changes;
    this.walked += passed.length;
    const isAtEnd = young !== -1 || rows.length < limit;
    this.isOver = isAtEnd || this.walked >= MOST_WALKED;
    this.from = isAtEnd || to === undefined ? this.table.first : to;
    return { forgotten, passed: this.isOver ? forgotten : passed.length };
  }

  nextRound(): void {
    this.walked = 0;
    this.isOver = false;
  }
}

/**
 * Prepares the forgetting; the returned function makes one step and returns how many rows it dealt with, and how many of them it forgot.
 * A step that dealt with none ends a round.
 */
export function pruning(
  database: Database,
): (bounds: { ended: number; commands: number; limit: number }) => { rows: number; forgotten: number } {
  const ended = ENDED.map((sql) => database.prepare(sql));
  const walks = WALKED.map((table) => new Walk(database, table));
  const lasting = [DEAD_LETTERS, COMMANDS].map((sql) => database.prepare(sql));
  return (bounds) => {
    const { limit } = bounds;
    const steps = walks.map((walk) => walk.step(bounds.ended, limit));
    const forgotten = [
      ...ended.map((statement) => statement.run({ before: bounds.ended, limit }).changes),
      ...lasting.map((statement) => statement.run({ before: bounds.commands, limit }).changes),
      ...steps.map((step) => step.forgotten),
    ].reduce((sum, changes) => sum + changes, 0);
    const passed = steps.reduce((sum, step) => sum + step.passed, 0);
    if (forgotten + passed === 0) for (const walk of walks) walk.nextRound();
    return { rows: forgotten + passed, forgotten };
  };
}
