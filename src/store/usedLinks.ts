import type { Database, Statement } from './sqlite.js';

/** So many used links are remembered by their id; older ones by a floor. */
const REMEMBERED = 1_000;
/** In `meta`: no link made at or before this (Unix ms) is good. */
const FLOOR = 'used_links_floor';

/**
 * Which links to the monitor were used. What is forgotten to bound the table raises a floor for the time at which a link
 * was made, so a used link stays refused whatever the clock is set to.
 */
export class UsedLinkTable {
  private readonly insert: Statement;
  private readonly selectExcess: Statement;
  private readonly remove: Statement;
  private readonly selectFloor: Statement;
  private readonly setFloor: Statement;

  constructor(database: Database) {
    this.insert = database.prepare('INSERT OR IGNORE INTO used_links (id, made_at) VALUES (?, ?)');
    this.selectExcess = database
      .prepare('SELECT made_at FROM used_links ORDER BY made_at DESC LIMIT 1 OFFSET ?')
      .pluck();
    this.remove = database.prepare('DELETE FROM used_links WHERE made_at <= ?');
    this.selectFloor = database.prepare('SELECT value FROM meta WHERE key = ?').pluck();
    this.setFloor = database.prepare(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
  }

  /** Inside a write: uses the link with this id, made at `madeAt` (Unix ms). False if it was, or may have been, used before. */
  use(id: string, madeAt: number): boolean {
    if (madeAt <= Number(this.selectFloor.get(FLOOR) ?? Number.NEGATIVE_INFINITY)) return false;
    if (this.insert.run(id, madeAt).changes === 0) return false;
    const floor = this.selectExcess.get(REMEMBERED);
    if (floor === undefined) return true;
    this.remove.run(floor);
    this.setFloor.run(FLOOR, String(floor));
    return true;
  }
}
