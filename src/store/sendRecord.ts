import type { SendRecord } from '../model/sending.js';

/**
 * The fields that follow a text through the log. `trace` is its cause, as in every other line of it: the id of the command
 * or, of a reply, the guid of the message. A reflex, which has both, also names the message that it `answers`.
 */
export function sendTrace({ id, commandId, answers }: Pick<SendRecord, 'id' | 'commandId' | 'answers'>): {
  trace: string;
  answers?: string;
  send: string;
} {
  const reflex = commandId !== null && answers !== null ? { answers } : {};
  return { trace: commandId ?? answers ?? id, ...reflex, send: id };
}

/** Steps in the life of a sent text, as bits of `told`. recovered: it was told to have failed, and better of it after that. */
export const LIFE = { delivered: 1, read: 2, failed: 4, downgraded: 8, recovered: 16 } as const;

export const SEND_COLUMNS = `seq, id, place, conversation, thread_id AS threadId, text, role, priority, pause_ms AS pauseMs,
  command_id AS commandId, schedule_id AS scheduleId, answers, assumed, created_at AS createdAt, state, not_before AS notBefore,
  attempts, resends, form, tag, generation, after_row AS afterRow, attempted_at AS attemptedAt, ended_at AS endedAt,
  watch_until AS watchUntil, twin_key AS twinKey, twin, guid, service, error_code AS errorCode, error, told,
  life_until AS lifeUntil, part_of AS partOf, part, file, source, staged, settled_at AS settledAt,
  chat_guid AS chatGuid`;
