import { SEND_COLUMNS as COLUMNS } from './sendRecord.js';
import type { Database, Statement } from './sqlite.js';

/** Word for word the condition of the index `sends_lane`, or SQLite does not take it. */
const IN_LANE = "(state = 'queued' OR state = 'attempting' OR state = 'confirming' OR state = 'staging')";

/** The columns of every send; the others are for parts and files. */
const KNOWN = `seq, place, id, conversation, thread_id, text, role, priority, pause_ms, command_id, schedule_id, answers, assumed, twin_key, twin, state, error_code, error, created_at, chat_guid`;
const MARKS = KNOWN.replaceAll(/\w+/g, '?');

const SQL = {
  insert: `INSERT INTO sends (${KNOWN}) VALUES (${MARKS}) ON CONFLICT (id) DO NOTHING`,
  insertPart: `INSERT INTO sends (${KNOWN}, part_of, part, file, source, staged) VALUES (${MARKS}, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
  selectBySeq: `SELECT ${COLUMNS} FROM sends WHERE seq = ?`,
  selectById: `SELECT ${COLUMNS} FROM sends WHERE id = ?`,
  selectHead: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} ORDER BY place, seq LIMIT 1`,
  selectQueuedIn: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} AND state = 'queued' ORDER BY place, seq`,
  selectInLane: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND ${IN_LANE} ORDER BY place, seq`,
  selectLanes: `SELECT conversation, priority, count(*) AS waiting FROM sends WHERE ${IN_LANE} GROUP BY conversation, priority`,
  selectAttempting: `SELECT ${COLUMNS} FROM sends WHERE state = 'attempting' ORDER BY seq`,
  selectWatched: `SELECT ${COLUMNS} FROM sends WHERE watch_until IS NOT NULL ORDER BY watch_until, seq`,
  selectDuplicatesOf: `SELECT ${COLUMNS} FROM sends WHERE twin = ? ORDER BY seq`,
  selectInWords: `SELECT ${COLUMNS} FROM sends WHERE twin_key = ? AND answers = ? ORDER BY seq`,
  selectReflexes: `SELECT ${COLUMNS} FROM sends WHERE conversation = ? AND role = 'reflex' AND seq > ? ORDER BY seq`,
  selectAnswersTo: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_written_to
     WHERE conversation = ? AND created_at > 0 AND answers = ? ORDER BY seq`,
  selectClaimed: 'SELECT 1 FROM sends WHERE guid = ?',
  updateBegin: `UPDATE sends SET state = 'attempting', tag = ?, generation = ?, after_row = ?, attempted_at = ? WHERE seq = ?`,
  updateResend: `UPDATE sends SET state = 'queued', form = 0, attempts = 0, resends = resends + 1, not_before = 0 WHERE seq = ?`,
  updateRequeue: `UPDATE sends SET state = 'queued', form = ?, attempts = ?, not_before = ?, error_code = ?, error = ? WHERE seq = ?`,
  updateEnded: `UPDATE sends SET state = 'confirming', ended_at = ?, watch_until = ?, error_code = ?, error = ? WHERE seq = ?`,
  updateSettle: `UPDATE sends SET state = ?, guid = ?, service = ?, error_code = ?, error = ?, watch_until = ?, settled_at = ?
     WHERE seq = ?`,
  updatePromote: "UPDATE sends SET state = 'queued', place = ?, twin = NULL WHERE seq = ?",
  updateTwin: 'UPDATE sends SET twin = ? WHERE seq = ?',
  updateAssumed: 'UPDATE sends SET assumed = ? WHERE seq = ? AND answers IS NULL',
  updateUnwatch: 'UPDATE sends SET watch_until = NULL WHERE seq = ?',
  updateTold: 'UPDATE sends SET told = ?, life_until = ? WHERE seq = ?',
  updateLivesBy: 'UPDATE sends SET life_until = ? WHERE life_until > ?',
  selectLiving: `SELECT ${COLUMNS} FROM sends WHERE life_until IS NOT NULL AND life_until > ? AND seq > ? ORDER BY seq LIMIT ?`,
  selectUnproven: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_unproven
     WHERE conversation = ? AND tag IS NOT NULL AND guid IS NULL
     AND (state <> 'failed' OR error_code = 'not_delivered')`,
  selectProvenAt: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_proven
     WHERE conversation = ? AND guid IS NOT NULL AND attempted_at BETWEEN ? AND ? AND settled_at >= ?`,
  selectAnyOf:
    'SELECT 1 FROM sends INDEXED BY sends_written_to WHERE conversation = ? AND created_at > 0 LIMIT 1',
  selectAnyProven:
    'SELECT 1 FROM sends INDEXED BY sends_proven WHERE conversation = ? AND guid IS NOT NULL LIMIT 1',
  selectNewestTo: `SELECT ${COLUMNS} FROM sends INDEXED BY sends_written_to WHERE conversation = ? AND created_at > 0
     ORDER BY seq DESC LIMIT ?`,
  countInLane: `SELECT count(*) FROM sends WHERE ${IN_LANE}`,
};

/** They answer with one value, not with a row. */
const OF_ONE_VALUE: readonly string[] = ['selectClaimed', 'selectAnyOf', 'selectAnyProven', 'countInLane'];

export type SendStatements = { readonly [Name in keyof typeof SQL]: Statement };

/** What the send ledger asks of its table, prepared. */
export function sendStatements(database: Database): SendStatements {
  const prepared = Object.entries(SQL).map(([name, sql]) => {
    const statement = database.prepare(sql);
    return [name, OF_ONE_VALUE.includes(name) ? statement.pluck() : statement];
  });
  return Object.fromEntries(prepared) as SendStatements;
}
