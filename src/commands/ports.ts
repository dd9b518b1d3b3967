import type { Priority } from '../model/command.js';
import type { ErrorCode } from '../model/errorCodes.js';
import type { OutgoingFile } from '../model/sending.js';

/** From the most urgent (0) to the least (4). */
export const PRIORITY_RANK: Readonly<Record<Priority, number>> = {
  immediate: 0,
  high: 1,
  normal: 2,
  low: 3,
  deferred: 4,
};

/** Judges the files that a command names. */
export interface FileAdmission {
  /** Stages a file whose content the command holds before it returns. Exactly one of the first three is given. */
  admit(named: {
    url?: string | undefined;
    data_base64?: string | undefined;
    path?: string | undefined;
    filename?: string | undefined;
  }):
    | { kind: 'admitted'; file: OutgoingFile }
    | { kind: 'refused'; field: string; errorCode: ErrorCode; message: string };
  /** Takes back what was staged. */
  discard(path: string): void;
}

/** The canonical key of a conversation, equal for every form of its thread id. */
export type ConversationKeyOf = (threadId: string) => string;

type CancelResult =
  | { kind: 'cancelled'; scheduleId: string }
  | { kind: 'refused'; state: string }
  | { kind: 'notFound' };

/** Texts to be sent later; called inside a write. */
export interface TextSchedule {
  /** Stores the text; `tooLate` if its time is past by more than the operator allows. */
  add(text: {
    commandId: string;
    conversation: string;
    threadId: string;
    text: string;
    priority: number;
    sendAt: number;
    files?: readonly OutgoingFile[];
  }):
    | { kind: 'scheduled'; scheduleId: string }
    | { kind: 'tooLate'; byMs: number; goneOut: 'no' | 'unreadable' };
  cancel(id: string, cancelledBy: string): CancelResult;
  list(status: string | undefined): Record<string, unknown>[];
}

/** The limits that handlers keep, read at each use: the backend may change some while we run. */
export interface CommandLimits {
  maxAgeMs: number;
  reflexMaxAgeMs: number;
  bubbleDelayMs: number;
  maxTextLength: number;
  /** A longer text is cut instead of refused. */
  splitLongTexts?: boolean;
}
