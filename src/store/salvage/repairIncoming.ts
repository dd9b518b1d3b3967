import { LONGEST_LOOK_MS, SALVAGED_GENERATION } from '../cursor.js';
import type { Value } from './pageFormat.js';
import { number, type Repair, text } from './Repair.js';

const DAY_MS = 86_400_000;

/** The indexes that show how a message ended. */
const ENDS = [
  ['incoming_parked', 'parked'],
  ['incoming_expired', 'expired'],
] as const;

/**
 * A message that is lost is read again from chat.db. One that was answered or given up must not be posted again: its place
 * is taken by a row without its words.
 */
export function rebuildIncoming(repair: Repair): boolean {
  const { lost, soundIndexes, mayHaveLostMore } = repair.table('incoming');
  const isPlaceLost = repair.isDamaged('chatdb_cursor') || repair.isDamaged('chatdb_reading');
  let readsAgain = mayHaveLostMore || isPlaceLost || repair.isDamaged('chatdb_pending');
  for (const { key, known, indexes } of lost) {
    const guid = text(known.guid);
    const isOver =
      number(known.settled_at) !== null ||
      (soundIndexes.has('incoming_open') && !indexes.has('incoming_open'));
    if (guid === null || !isOver) {
      readsAgain = true;
      continue;
    }
    const state = ENDS.find(([index]) => indexes.has(index))?.[1] ?? 'answered';
    keepPlace(repair, key, guid, text(known.conversation) ?? '', state, number(known.settled_at));
  }
  if (readsAgain) {
    const answered = repair.many<{ guid: string; conversation: string; at: number }>(
      `SELECT answers AS guid, min(conversation) AS conversation, min(created_at) AS at FROM sends
       WHERE answers IS NOT NULL AND id LIKE 'reply:%' AND answers NOT IN (SELECT guid FROM incoming) GROUP BY answers`,
    );
    for (const { guid, conversation, at } of answered)
      keepPlace(repair, null, guid, conversation, 'answered', at);
    lookAgain(repair, isPlaceLost);
  }
  if (!readsAgain && repair.isDamaged('seen_rows')) repair.run('UPDATE chatdb_reading SET seeded = 0');
  return readsAgain;
}

/** Rows of chat.db are searched by date, and those without any other record are judged again. */
function lookAgain(repair: Repair, isPlaceLost: boolean): void {
  repair.run(
    `DELETE FROM seen_rows WHERE guid NOT IN (SELECT guid FROM incoming)
       AND original NOT IN (SELECT guid FROM incoming) AND guid NOT IN (SELECT guid FROM sends WHERE guid IS NOT NULL)`,
  );
  repair.run('DELETE FROM chatdb_pending');
  if (isPlaceLost) {
    repair.run(
      'INSERT OR REPLACE INTO chatdb_cursor (id, generation, row_id, guid) VALUES (1, ?, 0, NULL)',
      SALVAGED_GENERATION,
    );
  }
  repair.run(
    `INSERT INTO chatdb_reading (id, since, seeded, caught_up, look_until)
     SELECT 1, coalesce(min(seen_at), ?), 1, 0, ? FROM incoming WHERE true
     ON CONFLICT (id) DO UPDATE SET seeded = 1, caught_up = 0, look_until = max(coalesce(look_until, 0), excluded.look_until)`,
    repair.now - DAY_MS,
    repair.now + LONGEST_LOOK_MS,
  );
}

function keepPlace(
  repair: Repair,
  seq: Value,
  guid: string,
  conversation: string,
  state: string,
  at: number | null,
): void {
  const settledAt = at ?? repair.now;
  const message = {
    guid,
    rowId: 0,
    conversation,
    threadId: conversation,
    chatGuid: conversation,
    sender: conversation,
    text: '',
    sentAt: settledAt,
    isGroup: false,
    participants: [],
    service: '',
    replyToGuid: null,
    attachments: [],
  };
  repair.run(
    `INSERT OR IGNORE INTO incoming (seq, guid, conversation, message, sent_at, seen_at, state, settled_at, last_error)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'its record was damaged')`,
    ...[seq, guid, conversation, JSON.stringify(message), settledAt, settledAt, state, settledAt],
  );
}

/** A file is queued again from its message, unless it is known to have been through. */
export function rebuildUploads(repair: Repair): void {
  const { lost, soundIndexes } = repair.table('uploads');
  for (const { known, indexes } of lost) {
    const guid = text(known.attachment_guid);
    const ofMessage = text(known.message_guid);
    const isOver = soundIndexes.has('uploads_open') && !indexes.has('uploads_open');
    if (guid === null || ofMessage === null || isOver) continue;
    repair.run(
      `INSERT OR IGNORE INTO uploads (attachment_guid, message_guid, message, state, queued_at)
       SELECT ?, guid, json_object('guid', guid, 'chatGuid', json_extract(message, '$.chatGuid'),
         'conversation', conversation, 'isGroup', json(iif(json_extract(message, '$.isGroup'), 'true', 'false')),
         'text', json_extract(message, '$.text'), 'participants', json_extract(message, '$.participants')), 'open', ?
       FROM incoming WHERE guid = ?`,
      ...[guid, repair.now, ofMessage],
    );
  }
}

export function rebuildNumbers(repair: Repair): void {
  if (!repair.isDamaged('message_sequences')) return;
  repair.run(
    `INSERT OR IGNORE INTO message_sequences (conversation, newest)
     SELECT conversation, max(sequence) FROM incoming WHERE sequence IS NOT NULL GROUP BY conversation`,
  );
}
