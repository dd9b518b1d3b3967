import type { AckBody } from '../../model/agentBodies.js';
import { FORGOTTEN_COMMANDS, UNKNOWN_BODY_HASH } from '../commands.js';
import type { Value } from './pageFormat.js';
import { LOST_TEXT, number, type Repair, SETTLED, text } from './Repair.js';
import type { LostSchedule } from './repairTexts.js';

const DAY_MS = 86_400_000;
/** Undelivered acks are kept for so long (Retention). */
const ACKS_KEPT_MS = 7 * DAY_MS;
/** The agent says that it is alive every 30 s (Downtime), and the backend's clock may differ. */
const ALIVE_MARGIN_MS = 90_000;
/** What `freshId` of `edge-agent send` begins with: the backend knows nothing of such a command. */
const OPERATOR_COMMAND = 'operator_';

const LOST_COMMAND = 'The record of this command was damaged: it is not known whether it was executed.';

interface Send {
  id: string;
  state: string;
  guid: string | null;
  service: string | null;
  errorCode: string | null;
  error: string | null;
  scheduleId: string | null;
}

interface Verdict {
  status: AckBody['status'];
  error: string | null;
  result: Record<string, unknown>;
  isUnknown: boolean;
}

function completed(result: Record<string, unknown>): Verdict {
  return { status: 'completed', error: null, result, isUnknown: false };
}

function failed(message: string, scheduleId: string | null = null): Verdict {
  const result = {
    outcome: 'unknown',
    retry_safe: false,
    ...(scheduleId === null ? {} : { schedule_id: scheduleId }),
  };
  return { status: 'failed', error: `outcome_unknown: ${message}`, result, isUnknown: true };
}

/** The ack of a command of which only its texts are known; none: it is not known what was done. The worst decides. */
function verdictOf(sends: readonly Send[]): Verdict {
  const [first] = sends;
  if (first === undefined) return failed(LOST_COMMAND);
  if (sends.some(({ state }) => state === 'unknown')) return failed(LOST_TEXT, first.scheduleId);
  const fault = sends.find(({ state }) => state === 'failed');
  const sent = sends.find(({ state }) => state === 'sent' || state === 'deduplicated');
  const schedule = first.scheduleId === null ? {} : { schedule_id: first.scheduleId };
  if (fault !== undefined) {
    const isSafe = sent === undefined && fault.guid === null;
    const outcome = sent === undefined ? 'not_sent' : 'partly_sent';
    const error = `${fault.errorCode ?? 'send_failed'}: ${fault.error ?? 'The text was not sent.'}`;
    return {
      status: 'failed',
      error,
      result: { outcome, retry_safe: isSafe, ...schedule },
      isUnknown: false,
    };
  }
  return completed({
    outcome: 'sent',
    retry_safe: false,
    confirmed: sent?.guid !== null,
    ...(sent?.guid == null ? {} : { message_guid: sent.guid }),
    ...(sent?.service == null ? {} : { service: sent.service }),
    ...schedule,
  });
}

/** A text is not sent if only its names are left: this is reported to the backend, which has it, and to the operator. */
export function reportSchedule(repair: Repair, { scheduleId, commandId, sendAt }: LostSchedule): void {
  const error = 'The record of this scheduled text was damaged: it is not sent.';
  repair.lostText(
    null,
    {
      ...(commandId === null ? {} : { command_id: commandId }),
      ...(scheduleId === null ? {} : { schedule_id: scheduleId }),
      ...(sendAt === null ? {} : { send_at: new Date(sendAt).toISOString() }),
    },
    error,
  );
  if (commandId === null) return;
  const isOpen = repair.one("SELECT 1 FROM commands WHERE command_id = ? AND state = 'open'", commandId);
  if (isOpen !== undefined) finish(repair, commandId, failed(error, scheduleId));
}

/** Every id that anything still names gets a row again, so that none is executed twice. */
export function rebuildCommands(repair: Repair): void {
  const { lost, soundIndexes, mayHaveLostMore } = repair.table('commands');
  for (const { key, known, indexes } of lost) {
    const commandId = text(known.command_id);
    if (commandId === null) continue;
    const wasOpen =
      indexes.has('commands_open') || (soundIndexes.has('commands_done') && !indexes.has('commands_done'));
    rebuildCommand(repair, commandId, { seq: key, wasOpen, ackedAt: number(known.acked_at) });
  }
  if (!repair.isDamaged('commands')) return;
  if (mayHaveLostMore) {
    // What was made after our last sign of life we cannot have received.
    const aliveAt = Number(
      repair.one<{ value: string }>("SELECT value FROM meta WHERE key = 'alive_at'")?.value,
    );
    const until = Number.isNaN(aliveAt) ? repair.now : Math.min(repair.now, aliveAt + ALIVE_MARGIN_MS);
    repair.run('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)', FORGOTTEN_COMMANDS, String(until));
  }
  const named = repair.many<{ id: string }>(
    `SELECT command_id AS id FROM sends WHERE command_id IS NOT NULL UNION SELECT command_id FROM schedule
     UNION SELECT command_id FROM acks EXCEPT SELECT command_id FROM commands`,
  );
  const ofSchedules = repair.lost('schedule').flatMap(({ known }) => text(known.command_id) ?? []);
  for (const id of [...named.map(({ id }) => id), ...ofSchedules]) {
    rebuildCommand(repair, id, { seq: null, wasOpen: false, ackedAt: null });
  }
}

function rebuildCommand(
  repair: Repair,
  commandId: string,
  { seq, wasOpen, ackedAt }: { seq: Value; wasOpen: boolean; ackedAt: number | null },
): void {
  const isNew = repair.run(
    `INSERT OR IGNORE INTO commands (seq, command_id, command_type, body, body_hash, via, received_at, state)
     VALUES (?, ?, 'unknown', '', ?, ?, ?, 'open')`,
    ...[seq, commandId, UNKNOWN_BODY_HASH, commandId.startsWith(OPERATOR_COMMAND) ? 'operator' : 'websocket'],
    ackedAt ?? repair.now,
  );
  if (isNew === 0) return;
  const waiting = repair.one<{ body: string; revision: number }>(
    'SELECT body, revision FROM acks WHERE command_id = ? ORDER BY seq DESC LIMIT 1',
    commandId,
  );
  const sends = sendsOf(repair, commandId);
  const schedule = repair.one<{ scheduleId: string; state: string }>(
    'SELECT schedule_id AS scheduleId, state FROM schedule WHERE command_id = ?',
    commandId,
  );
  if (waiting !== undefined) {
    repair.run(
      `UPDATE commands SET state = 'done', ack = ?, revision = ?, acked_at = ? WHERE command_id = ?`,
      ...[waiting.body, waiting.revision, ackedAt ?? repair.now, commandId],
    );
    return;
  }
  // Its text is still on its way: the outcome is its ack.
  if (schedule === undefined && sends.some(({ state }) => !SETTLED.has(state))) return;
  const verdict =
    schedule !== undefined && !SETTLED.has(schedule.state)
      ? completed({ schedule_id: schedule.scheduleId })
      : verdictOf(sends);
  if (verdict.isUnknown) repair.unknownCommands++;
  finish(repair, commandId, verdict, wasOpen);
}

/** A command whose text or schedule is lost would stay open for ever, and its backend ask for ever. */
export function endWhatCannotEnd(repair: Repair): void {
  if (!['sends', 'schedule', 'commands'].some((table) => repair.isDamaged(table))) return;
  // A scheduled text that was handed to a ledger that lost it.
  const handed = repair.many<{ scheduleId: string; commandId: string; sendAt: number }>(
    `SELECT schedule_id AS scheduleId, command_id AS commandId, send_at AS sendAt FROM schedule WHERE state = 'sending'`,
  );
  for (const { scheduleId, commandId } of handed) {
    const sends = sendsOf(repair, commandId).filter((send) => send.scheduleId === scheduleId);
    if (sends.some(({ state }) => !SETTLED.has(state))) continue;
    const verdict = verdictOf(sends);
    repair.run(
      'UPDATE schedule SET state = ?, error = ?, settled_at = ? WHERE schedule_id = ?',
      ...[verdict.status === 'completed' ? 'sent' : 'failed', verdict.error, repair.now, scheduleId],
    );
    if (sends.length === 0) {
      repair.unknownTexts++;
      repair.lostText(null, {
        command_id: commandId,
        schedule_id: scheduleId,
      });
    }
  }
  const open = repair.many<{ commandId: string }>(
    `SELECT command_id AS commandId FROM commands c WHERE state = 'open'
       AND NOT EXISTS (SELECT 1 FROM schedule s WHERE s.command_id = c.command_id AND s.state IN ('pending', 'sending'))`,
  );
  for (const { commandId } of open) {
    const sends = sendsOf(repair, commandId);
    if (sends.some(({ state }) => !SETTLED.has(state))) continue;
    const verdict = verdictOf(sends);
    if (verdict.isUnknown) repair.unknownCommands++;
    finish(repair, commandId, verdict);
  }
}

/**
 * A lost ack is created again from its command: the same ack twice is harmless. Those of rebuilt commands exist
 * already.
 */
export function giveAcksAgain(repair: Repair): void {
  if (!repair.isDamaged('acks')) return;
  const named = repair.lost('acks').flatMap(({ known }) => text(known.command_id) ?? []);
  repair.run(
    `INSERT INTO acks (command_id, revision, body, created_at)
     SELECT command_id, revision, ack, ? FROM commands c
     WHERE state = 'done' AND ack IS NOT NULL AND via <> 'operator' AND body_hash <> '${UNKNOWN_BODY_HASH}' AND acked_at > ?
       AND (ack_read_at IS NULL OR command_id IN (SELECT value FROM json_each(?)))
       AND NOT EXISTS (SELECT 1 FROM acks a WHERE a.command_id = c.command_id AND a.revision = c.revision)
     ORDER BY acked_at`,
    ...[repair.now, repair.now - ACKS_KEPT_MS, JSON.stringify(named)],
  );
}

function sendsOf(repair: Repair, commandId: string): Send[] {
  return repair.many<Send>(
    `SELECT id, state, guid, service, error_code AS errorCode, error, schedule_id AS scheduleId FROM sends
     WHERE command_id = ? ORDER BY seq`,
    commandId,
  );
}

/** Ends a command; it is acked now if its backend waits for that, else when it asks again. */
function finish(repair: Repair, commandId: string, verdict: Verdict, isAcked = true): void {
  const known = repair.one<{ revision: number; via: string }>(
    'SELECT revision, via FROM commands WHERE command_id = ?',
    commandId,
  );
  if (known === undefined) return;
  const at = new Date(repair.now).toISOString();
  const ack: AckBody = {
    command_id: commandId,
    status: verdict.status,
    success: verdict.status === 'completed',
    error: verdict.error,
    completed_at: at,
    timestamp: at,
    revision: known.revision + 1,
    result: verdict.result,
  };
  const body = JSON.stringify(ack);
  repair.run(
    `UPDATE commands SET state = 'done', ack = ?, revision = ?, acked_at = ? WHERE command_id = ?`,
    ...[body, ack.revision, repair.now, commandId],
  );
  if (!isAcked || known.via === 'operator') return;
  repair.run(
    'INSERT INTO acks (command_id, revision, body, created_at) VALUES (?, ?, ?, ?)',
    ...[commandId, ack.revision, body, repair.now],
  );
}
