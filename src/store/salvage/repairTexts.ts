import type { LostRow } from '../salvage.js';
import { LOST_TEXT, number, type Repair, SETTLED, text } from './Repair.js';

const DAY_MS = 86_400_000;

/** A scheduled text whose row is lost: what can still be said of it. */
export interface LostSchedule {
  scheduleId: string | null;
  commandId: string | null;
  /** Unix ms. */
  sendAt: number | null;
}

interface Cause {
  conversation: string;
  threadId: string;
  text: string;
  commandId: string | null;
}

const OF_SCHEDULE =
  'SELECT conversation, thread_id AS threadId, text, command_id AS commandId FROM schedule WHERE schedule_id = ?';
/** By the names under which a backend may say them; of a thread that it names otherwise the index knows the conversation. */
const OF_COMMAND = `SELECT coalesce(json_extract(body, '$.payload.thread_id'), '') AS conversation,
    coalesce(json_extract(body, '$.payload.thread_id'), '') AS threadId,
    CAST(coalesce(json_extract(body, '$.payload.text'), json_extract(body, '$.payload.message_text'),
      json_extract(body, '$.payload.message'), '') AS TEXT) AS text,
    command_id AS commandId
  FROM commands WHERE command_id = ? AND body <> ''`;
const OF_MESSAGE = `SELECT conversation, json_extract(message, '$.chatGuid') AS threadId, '' AS text, NULL AS commandId
  FROM incoming WHERE guid = ?`;

/** A row that may be older than the last stored version does not prove that its text was not sent. */
export function distrustSends(repair: Repair): void {
  for (const seq of repair.table('sends').uncertain) {
    repair.unknownTexts += repair.run(
      `UPDATE sends SET state = 'unknown', error_code = 'outcome_unknown', error = ?, settled_at = ?
       WHERE seq = ? AND state IN ('staging', 'queued', 'waiting', 'attempting', 'confirming')`,
      LOST_TEXT,
      repair.now,
      seq,
    );
  }
}

/** The ledger names a text by its cause; everything else about it is in the rows of that cause. */
export function rebuildSend(repair: Repair, { key, known, indexes }: LostRow): void {
  const id = text(known.id);
  if (id === null) return;
  const { cause, name, bubble, part } = causeOf(repair, id);
  if (cause === '') return;
  const guid = text(known.guid);
  const schedule = cause === 'schedule' ? repair.one<Cause>(OF_SCHEDULE, name) : undefined;
  const asked = cause === 'command' ? repair.one<Cause>(OF_COMMAND, name) : undefined;
  const from = schedule ?? asked ?? (cause === 'reply' ? repair.one<Cause>(OF_MESSAGE, name) : undefined);
  const commandId = cause === 'command' ? name : (schedule?.commandId ?? null);
  const conversation = text(known.conversation) ?? from?.conversation ?? '';
  const isProven = guid !== null;
  const isReflex = indexes.has('sends_reflexes');
  const partOf = part === null ? null : id.slice(0, id.lastIndexOf(':'));
  const isNew = repair.run(
    `INSERT OR IGNORE INTO sends (seq, id, place, conversation, thread_id, text, role, priority, pause_ms, command_id,
       schedule_id, answers, twin_key, created_at, state, attempts, guid, error_code, error, settled_at, part_of, part)
     VALUES (?, ?, ?, ?, ?, ?, ?, 2, 0, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)`,
    ...[key, id, key, conversation, from?.threadId ?? conversation, from?.text ?? ''],
    ...[isReflex ? 'reflex' : bubble === null ? 'message' : bubble === 0 ? 'first' : 'bubble', commandId],
    ...[
      cause === 'schedule' ? name : null,
      cause === 'reply' ? name : text(known.answers),
      text(known.twin_key),
    ],
    ...[number(known.settled_at) ?? repair.now, isProven ? 'sent' : 'unknown', guid],
    ...[isProven ? null : 'outcome_unknown', isProven ? null : LOST_TEXT],
    ...[number(known.settled_at) ?? repair.now, partOf, part ?? 0],
  );
  // The outcome of a settled text was reported when it was settled.
  if (isNew === 0 || isProven || indexes.has('sends_settled_at')) return;
  repair.unknownTexts++;
  const scheduleId = cause === 'schedule' ? name : null;
  repair.lostText(conversation, {
    ...(commandId === null ? {} : { command_id: commandId }),
    ...(scheduleId === null ? {} : { schedule_id: scheduleId }),
    ...(cause === 'reply' ? { in_reply_to: name } : {}),
  });
}

/** An id of the ledger contains its cause, and which bubble and part it is; see `textsOf` and `partsOf`. */
function causeOf(
  repair: Repair,
  id: string,
): { cause: string; name: string; bubble: number | null; part: number | null } {
  const [, cause = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(id) ?? [];
  if (cause === 'reply') {
    const [, name = rest, bubble = '0', part] = /^(.*?):(\d+)(?::(\d+))?$/s.exec(rest) ?? [];
    return { cause, name, bubble: Number(bubble), part: part === undefined ? null : Number(part) };
  }
  const [, whole, part] = /^(.*):(\d+)$/s.exec(rest) ?? [];
  // A backend may end its ids like the number of a part.
  if (whole === undefined || isCommand(repair, rest)) return { cause, name: rest, bubble: null, part: null };
  return { cause, name: whole, bubble: null, part: Number(part) };
}

function isCommand(repair: Repair, commandId: string): boolean {
  if (repair.lost('commands').some(({ known }) => known.command_id === commandId)) return true;
  return repair.one('SELECT 1 FROM commands WHERE command_id = ?', commandId) !== undefined;
}

/** What waits for the end of an equal text that has ended, or is lost, would wait for ever. */
export function endDuplicates(repair: Repair): void {
  if (!repair.isDamaged('sends')) return;
  const waiting = repair.many<{
    seq: number;
    twinState: string | null;
    conversation: string;
    commandId: string | null;
  }>(
    `SELECT s.seq, t.state AS twinState, s.conversation, s.command_id AS commandId
     FROM sends s LEFT JOIN sends t ON t.seq = s.twin WHERE s.state = 'waiting'`,
  );
  for (const { seq, twinState, conversation, commandId } of waiting) {
    if (twinState !== null && !SETTLED.has(twinState)) continue;
    const isSent = twinState === 'sent' || twinState === 'deduplicated';
    repair.run(
      'UPDATE sends SET state = ?, error_code = ?, error = ?, settled_at = ? WHERE seq = ?',
      ...[
        isSent ? 'deduplicated' : 'unknown',
        isSent ? null : 'outcome_unknown',
        isSent ? null : LOST_TEXT,
        repair.now,
      ],
      seq,
    );
    if (isSent) continue;
    repair.unknownTexts++;
    repair.lostText(conversation, {
      ...(commandId === null ? {} : { command_id: commandId }),
    });
  }
}

/** Texts that were, or may have been, still to be sent, without any other record. */
export function lostSchedules(repair: Repair): LostSchedule[] {
  const { lost, soundIndexes, uncertain } = repair.table('schedule');
  const texts = lost
    .filter(
      ({ known }) => known.state === undefined || known.state === 'pending' || known.state === 'sending',
    )
    .filter(({ known, indexes }) => {
      // Where the index of what is due can be read, a text that is not in it is not due any more.
      const isOver = soundIndexes.has('schedule_due') && !indexes.has('schedule_due');
      return !isOver || known.state === 'sending';
    })
    .map(({ known }) => ({
      scheduleId: text(known.schedule_id),
      commandId: text(known.command_id),
      sendAt: number(known.send_at),
    }))
    .filter(({ scheduleId }) => scheduleId === null || !hasSend(repair, `schedule:${scheduleId}`));
  for (const seq of uncertain) {
    const row = repair.one<LostSchedule>(
      `UPDATE schedule SET state = 'failed', error = ?, settled_at = ? WHERE seq = ? AND state IN ('pending', 'sending')
       RETURNING schedule_id AS scheduleId, command_id AS commandId, send_at AS sendAt`,
      LOST_TEXT,
      repair.now,
      seq,
    );
    if (row !== undefined && !hasSend(repair, `schedule:${row.scheduleId}`)) texts.push(row);
  }
  return [...texts.filter(({ commandId }) => commandId !== null), ...schedulesOfCommands(repair, texts)];
}

/** Where not even the names of the texts can be read: those that commands of the last days asked for; and who cannot be named by these. */
function schedulesOfCommands(repair: Repair, lost: readonly LostSchedule[]): LostSchedule[] {
  const nameless = lost.filter(({ commandId }) => commandId === null);
  if (nameless.length === 0 && !repair.table('schedule').mayHaveLostMore) return [];
  const known = new Set(lost.flatMap(({ commandId }) => commandId ?? []));
  const asked = repair.many<{ scheduleId: string; commandId: string; sendAt: unknown }>(
    `SELECT json_extract(ack, '$.result.schedule_id') AS scheduleId, command_id AS commandId,
       json_extract(body, '$.payload.send_at') AS sendAt
     FROM commands c WHERE ack IS NOT NULL AND body <> '' AND json_extract(ack, '$.result.schedule_id') IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM schedule s WHERE s.command_id = c.command_id)
       AND NOT EXISTS (SELECT 1 FROM sends t WHERE t.command_id = c.command_id)`,
  );
  const found = asked
    .map(({ scheduleId, commandId, sendAt }) => {
      const at = typeof sendAt === 'string' ? Date.parse(sendAt) : Number.NaN;
      return { scheduleId, commandId, sendAt: Number.isNaN(at) ? null : at };
    })
    .filter(
      ({ commandId, sendAt }) => !known.has(commandId) && (sendAt === null || sendAt > repair.now - DAY_MS),
    );
  const isFound = (text: LostSchedule) =>
    found.some(({ scheduleId, sendAt }) =>
      text.scheduleId === null
        ? text.sendAt !== null && text.sendAt === sendAt
        : text.scheduleId === scheduleId,
    );
  return [...found, ...nameless.filter((text) => !isFound(text))];
}

function hasSend(repair: Repair, id: string): boolean {
  return repair.one('SELECT 1 FROM sends WHERE id = ? OR part_of = ?', id, id) !== undefined;
}
