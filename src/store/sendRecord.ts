import type { SendRecord } from '../model/sending.js';
import { columns } from './sqlite.js';

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

/** How long the row is looked for in all; Messages has been seen to send up to 124 s late. */
const ROW_WATCHED_MS = 180_000;
/** The same for a file; other senders wait as long (docs/facts.md#proof). */
const FILE_ROW_WATCHED_MS = 20 * 60_000;

/** How long the row of a send is looked for after osascript ended, in ms. */
export function rowWatchedMs(send: Pick<SendRecord, 'file'>): number {
  return send.file === null ? ROW_WATCHED_MS : FILE_ROW_WATCHED_MS;
}

/** Steps in the life of a sent text, as bits of `reported`. recovered: it was reported as failed, and better of it after that. */
export const LIFE = { delivered: 1, read: 2, failed: 4, downgraded: 8, recovered: 16 } as const;

/** The column has the name that the first version gave it. */
export const REPORTED_COLUMN = 'told AS reported';

export const SEND_COLUMNS = `${columns<SendRecord>(
  'seq',
  'id',
  'place',
  'conversation',
  'threadId',
  'text',
  'role',
  'priority',
  'pauseMs',
  'commandId',
  'scheduleId',
  'answers',
  'assumed',
  'createdAt',
  'state',
  'notBefore',
  'attempts',
  'tries',
  'resends',
  'form',
  'tag',
  'generation',
  'afterRow',
  'attemptedAt',
  'endedAt',
  'watchUntil',
  'twinKey',
  'twin',
  'guid',
  'service',
  'errorCode',
  'error',
  'lifeUntil',
  'partOf',
  'part',
  'file',
  'source',
  'staged',
  'settledAt',
  'chatGuid',
)}, ${REPORTED_COLUMN}`;

export interface WantedText {
  conversation: string;
  text: string;
}

/** From when on a text was wanted (Unix ms), by this machine's clock or by the backend's. `madeAt`: when its backend scheduled it, if it said. */
export interface WantedSince {
  at: number;
  clock: 'own' | 'backend';
  madeAt?: number | null;
}

/** `unreadable`: it may have, and chat.db cannot be asked now, so that it is not known. */
export type GoneOut = 'no' | 'maybe' | 'unreadable';

/** If it is known what was sent before the store was restored. */
export interface SentTexts {
  /** Whether a text may have gone out when it was wanted: if so it is not too late. */
  mayHaveGoneOut(text: WantedText, since: WantedSince): GoneOut;
}

/**
 * The outcome of a text that is too late; `message` says by how much. If it is not known whether it was sent, the
 * outcome is unknown.
 */
export function tooLateVerdict(message: string, goneOut: Exclude<GoneOut, 'maybe'>) {
  if (goneOut === 'no') {
    const result = { outcome: 'not_sent', retry_safe: true };
    return { kind: 'failed', code: 'too_late', message, result } as const;
  }
  const doubt = `${message} The store was restored, and chat.db cannot be read to see whether it was sent in time.`;
  const result = { outcome: 'unknown', retry_safe: false };
  return { kind: 'failed', code: 'outcome_unknown', message: doubt, result } as const;
}
