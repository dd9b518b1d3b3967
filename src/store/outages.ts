import type { Clock } from '../system/clock.js';
import type { Database, Statement } from './sqlite.js';

/** A stretch of Unix ms in which nothing could be answered; `to` is null while it lasts. */
export interface Outage {
  from: number;
  to: number | null;
}

/** Ages are judged over at most this time, so older outages are not needed. */
const KEPT_MS = 48 * 3600_000;

/** When the agent or its backend was down. Asked of each command and message: read once. */
export class OutageTable {
  private kept: readonly Outage[] | undefined;
  private readonly insert: Statement;
  private readonly end: Statement;
  private readonly select: Statement;
  private readonly prune: Statement;
  private readonly selectOpen: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
  ) {
    this.insert = database.prepare('INSERT INTO outages (what, began_at, ended_at) VALUES (?, ?, ?)');
    this.end = database.prepare('UPDATE outages SET ended_at = ? WHERE what = ? AND ended_at IS NULL');
    this.select = database.prepare('SELECT began_at AS "from", ended_at AS "to" FROM outages');
    this.selectOpen = database.prepare('SELECT 1 FROM outages WHERE what = ? AND ended_at IS NULL').pluck();
    this.prune = database.prepare('DELETE FROM outages WHERE ended_at <= ?');
  }

  /** The table may have changed otherwise than by what was asked of this. */
  reload(): void {
    this.kept = undefined;
  }

  /** Records an outage that began then and still lasts. */
  begin(what: 'agent' | 'backend', beganAt: number): void {
    this.insert.run(what, beganAt, null);
    this.reload();
  }

  /** Ends the lasting outage of that kind, if there is one; forgets those too old to matter. */
  finish(what: 'agent' | 'backend', endedAt: number): void {
    this.end.run(endedAt, what);
    this.prune.run(this.clock.now() - KEPT_MS);
    this.reload();
  }

  /** Records one that is over. */
  record(what: 'agent' | 'backend', from: number, to: number): void {
    this.insert.run(what, from, to);
    this.reload();
  }

  /** Records one that began then and ends now. */
  note(what: 'agent' | 'backend', from: number): void {
    this.record(what, from, this.clock.now());
  }

  /** Whether one of that kind still lasts. */
  isOpen(what: 'agent' | 'backend'): boolean {
    return this.selectOpen.get(what) !== undefined;
  }

  /** Outages that reached past `since`. */
  since(since: number): Outage[] {
    this.kept ??= this.select.all() as Outage[];
    return this.kept.filter(({ to }) => to === null || to > since);
  }
}
