/**
 * queued → attempting → confirming → sent | failed | unknown; a duplicate also waiting → queued | deduplicated.
 * staging: it has its place in the lane and waits for a file of its request to be fetched. attempting: osascript may
 * have been started. confirming: it ended and the text's row is looked for in chat.db.
 */
export type SendState =
  | 'staging'
  | 'queued'
  | 'waiting'
  | 'attempting'
  | 'confirming'
  | 'sent'
  | 'failed'
  | 'unknown'
  | 'deduplicated';

/** reflex: pushed ahead of a reply; first: a reply's first bubble; bubble: its later ones; message: anything else. */
export type SendRole = 'reflex' | 'first' | 'bubble' | 'message';

export interface NewSend {
  /** Derived from the cause, so that one cause can never be enqueued twice. */
  id: string;
  conversation: string;
  threadId: string;
  text: string;
  role: SendRole;
  /** 0 (immediate) to 4 (deferred). */
  priority: number;
  /** The least time since the conversation's previous text, in ms. */
  pauseMs: number;
  commandId: string | null;
  scheduleId: string | null;
  /** The guid of the message that this text answers, where that is known. */
  answers: string | null;
  /** The message that a reflex which names none is assumed to answer. It is never reported: it may be wrong. */
  assumed?: string | null;
  /** Equal for reflexes and first bubbles of equal words in one conversation; null for other texts. */
  twinKey: string | null;
  /** The seq of the send that goes out in its place; null: it goes out itself. */
  twin: number | null;
  state: 'staging' | 'queued' | 'waiting' | 'deduplicated' | 'failed';
  errorCode: string | null;
  error: string | null;
  /** The request that this is one of several parts of; null: it is the whole. */
  partOf?: string | null;
  /** Its place among the parts, from 1; 0 for the whole. */
  part?: number;
  /** This file goes out instead of a text: its absolute path; only its name while it has not been fetched. */
  file?: string | null;
  /** Where the file is to be fetched from; null for a text, and for a file that was staged at once. */
  source?: string | null;
  /** The guid of the chat in which the message came that this text answers; null where that is not known. */
  chatGuid?: string | null;
}

/** A text that was ever to go out. Times are Unix ms. */
export interface SendRecord extends Required<Omit<NewSend, 'state'>> {
  seq: number;
  place: number;
  state: SendState;
  createdAt: number;
  notBefore: number;
  attempts: number;
  /** How often it was sent again although its outcome was unknown. */
  resends: number;
  /** Which of the target forms is next (0: the best one). */
  form: number;
  /** Names the attempt: its private file and its process. */
  tag: string | null;
  generation: string | null;
  afterRow: number | null;
  attemptedAt: number | null;
  endedAt: number | null;
  watchUntil: number | null;
  guid: string | null;
  service: string | null;
  /** What was told of its later life: a sum of LIFE bits. */
  told: number;
  /** Until when its later life is looked for; null: not. */
  lifeUntil: number | null;
  /** 1 while the staged copy of its file may lie there. */
  staged: number;
  settledAt: number | null;
}

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
