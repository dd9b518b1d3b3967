import { SEEN_KEPT_DAYS } from './seenRows.js';
import type { Database } from './sqlite.js';

/**
 * The statements that forget. Each takes what is older than `@before`, at most `@limit` rows, by an index. A send is kept
 * while its later life is followed; a command's content goes with the other ended things, its id and ack stay longer,
 * as does a dead letter that no operator looked at.
 */
const ENDED = [
  "DELETE FROM incoming WHERE seq IN (SELECT seq FROM incoming WHERE settled_at IS NOT NULL AND settled_at < @before AND state <> 'parked' AND held_reply IS NULL LIMIT @limit)",
  'DELETE FROM sends WHERE seq IN (SELECT seq FROM sends WHERE settled_at IS NOT NULL AND settled_at < @before AND life_until IS NULL AND watch_until IS NULL AND staged = 0 LIMIT @limit)',
  'DELETE FROM schedule WHERE seq IN (SELECT seq FROM schedule WHERE settled_at IS NOT NULL AND settled_at < @before LIMIT @limit)',
  'DELETE FROM target_forms WHERE conversation IN (SELECT conversation FROM target_forms WHERE learnt_at < @before LIMIT @limit)',
  'DELETE FROM uploads WHERE seq IN (SELECT seq FROM uploads WHERE settled_at IS NOT NULL AND settled_at < @before LIMIT @limit)',
  'DELETE FROM acks WHERE seq IN (SELECT seq FROM acks WHERE created_at < @before LIMIT @limit)',
  'DELETE FROM exchanges WHERE conversation IN (SELECT conversation FROM exchanges WHERE at < @before LIMIT @limit)',
  'DELETE FROM told WHERE key IN (SELECT key FROM told WHERE at < @before LIMIT @limit)',
  'DELETE FROM text_journal WHERE seq IN (SELECT seq FROM text_journal WHERE at < @before LIMIT @limit)',
  'DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE created_at < @before LIMIT @limit)',
  'DELETE FROM trials WHERE (kind, key) IN (SELECT kind, key FROM trials WHERE at < @before LIMIT @limit)',
  'DELETE FROM set_aside WHERE (kind, key) IN (SELECT kind, key FROM set_aside WHERE at < @before LIMIT @limit)',
  "UPDATE commands SET body = '' WHERE seq IN (SELECT seq FROM commands WHERE state = 'done' AND body <> '' AND acked_at < @before LIMIT @limit)",
];
/** A message may be answered at an age of 30 days (`imessage.catch_up_hours`): so long its copies are told from it. */
const SEEN =
  'DELETE FROM seen_rows WHERE guid IN (SELECT guid FROM seen_rows WHERE seen_at < @before LIMIT @limit)';
/** How much longer than what ended. */
const SEEN_LONGER_MS = (SEEN_KEPT_DAYS - 7) * 86_400_000;
const DEAD_LETTERS =
  "DELETE FROM incoming WHERE seq IN (SELECT seq FROM incoming WHERE settled_at IS NOT NULL AND settled_at < @before AND state = 'parked' LIMIT @limit)";
const COMMANDS =
  "DELETE FROM commands WHERE seq IN (SELECT seq FROM commands WHERE state = 'done' AND acked_at < @before LIMIT @limit)";

/** Prepares the forgetting; the returned function runs one step and returns how many rows it dealt with. */
export function pruning(
  database: Database,
): (bounds: { ended: number; commands: number; limit: number }) => number {
  const ended = ENDED.map((sql) => database.prepare(sql));
  const seen = database.prepare(SEEN);
  const lasting = [DEAD_LETTERS, COMMANDS].map((sql) => database.prepare(sql));
  return (bounds) => {
    const { limit } = bounds;
    const rows = ended.map((statement) => statement.run({ before: bounds.ended, limit }).changes);
    rows.push(seen.run({ before: bounds.ended - SEEN_LONGER_MS, limit }).changes);
    const old = lasting.map((statement) => statement.run({ before: bounds.commands, limit }).changes);
    return [...rows, ...old].reduce((sum, changes) => sum + changes, 0);
  };
}
