import type { Clock } from '../system/clock.js';
import type { ItemKind, SetAsideItem } from './setAsideItem.js';
import type { Database, Statement, StoredRows } from './sqlite.js';

/** What became of the work on one item. */
type Worked<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown };

/** So many starts may end while one item is worked on; then it is not tried again. */
const MOST_STARTS = 3;
/** After a start that followed an unclean stop, so many items are watched: what ended the agent is among what it does first. */
const WATCHED = 400;
/** For so long an item that was set aside is shown. */
const SHOWN_MS = 24 * 3_600_000;
const LONGEST_ERROR = 500;

/**
 * Items that cannot be worked on. What throws is set aside at once. What ends the whole process can be known by nothing but the
 * starts that it ended: after an unclean stop each of the first items is noted, durably, before the work on it and struck off
 * behind it, and one that is found noted by MOST_STARTS starts is not tried again. In ordinary running nothing is noted.
 */
export class SetAsideTable {
  private readonly begin: Statement;
  private readonly strike: Statement;
  private readonly unbegin: Statement;
  private readonly insert: Statement;
  private readonly select: Statement;
  private readonly selectStarts: Statement;
  private left: number;
  /** What this start does not try again, in whatever step of the work it is met. */
  private readonly refused = new Map<string, number>();
  private readonly listeners: ((kind: ItemKind) => void)[] = [];

  constructor(
    database: Database,
    private readonly clock: Clock,
    /** False if the disk did not take it. */
    private readonly tryWrite: (work: () => void) => boolean,
    stoppedCleanly: boolean,
    private readonly rows: StoredRows,
  ) {
    this.begin = database.prepare(
      `INSERT INTO trials (kind, key, starts, at) VALUES (?, ?, 1, ?)
       ON CONFLICT (kind, key) DO UPDATE SET starts = starts + 1, at = excluded.at`,
    );
    this.unbegin = database.prepare('UPDATE trials SET starts = starts - 1 WHERE kind = ? AND key = ?');
    this.strike = database.prepare('DELETE FROM trials WHERE kind = ? AND key = ?');
    this.selectStarts = database.prepare('SELECT starts FROM trials WHERE kind = ? AND key = ?').pluck();
    this.insert = database.prepare(
      `INSERT INTO set_aside (kind, key, at, error) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, key) DO UPDATE SET error = excluded.error`,
    );
    this.select = database.prepare(
      'SELECT kind, key, at, error FROM set_aside WHERE at >= ? ORDER BY at DESC LIMIT +?',
    );
    this.left = stoppedCleanly ? 0 : WATCHED;
  }

  /** Whether items are noted before they are worked on: then few are to be worked on at a time. */
  get isWatching(): boolean {
    return this.left > 0;
  }

  /**
   * Outside a write: works on one item, or on a `part` of what is to be done with it. Whatever `work` throws is its failure; so is
   * that it ended the process too often. The caller settles the item and calls `note`. While the disk takes no write, the work is
   * done without a note: a full disk ends nothing, and a poison item is recognised once there is room.
   */
  attempt<T>(kind: ItemKind, key: string, work: () => T, part: 'part' | 'whole' = 'whole'): Worked<T> {
    const name = `${kind} ${key}`;
    const refused = this.refused.get(name);
    if (refused !== undefined) return ended(refused);
    if (!this.isWatching) return tried(work);
    this.left -= 1;
    const starts = (this.selectStarts.get(kind, key) as number | undefined) ?? 0;
    if (starts >= MOST_STARTS) {
      this.refused.set(name, starts);
      return ended(starts);
    }
    const isNoted = this.tryWrite(() => this.begin.run(kind, key, this.clock.now()));
    const worked = tried(work);
    if (!isNoted) return worked;
    // A part that went well says nothing of the part that ended the starts before.
    const isDone = part === 'whole' || starts === 0;
    this.tryWrite(() => (isDone ? this.strike : this.unbegin).run(kind, key));
    return worked;
  }

  /** Inside a write: this item was set aside. */
  note(kind: ItemKind, key: string, error: string): void {
    this.insert.run(kind, key, this.clock.now(), error.slice(0, LONGEST_ERROR));
    for (const listener of this.listeners) listener(kind);
  }

  /** Calls `listener` with the kind of each item that is set aside, inside the write that notes it. */
  onNoted(listener: (kind: ItemKind) => void): void {
    this.listeners.push(listener);
  }

  /** What was set aside within a day, the newest first. */
  recent(limit: number): SetAsideItem[] {
    const since = this.clock.now() - SHOWN_MS;
    const items = this.select.all(since, limit) as SetAsideItem[];
    const damaged = this.rows.damaged().filter(({ at }) => at >= since);
    return [...items, ...damaged].toSorted((a, b) => b.at - a.at).slice(0, limit);
  }
}

function ended(starts: number): Worked<never> {
  return { kind: 'failed', error: new Error(`the agent crashed ${starts} times while it processed this`) };
}

function tried<T>(work: () => T): Worked<T> {
  try {
    return { kind: 'done', value: work() };
  } catch (error) {
    return { kind: 'failed', error };
  }
}
