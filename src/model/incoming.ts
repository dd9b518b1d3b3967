import type { PhotoFields } from './agentBodies.js';

/** What the backend made of a posted message. */
export type PostResult =
  | { kind: 'answered'; body: unknown }
  /** It has the message already. */
  | { kind: 'known' }
  /** It will never take this message. */
  | {
      kind: 'rejected';
      status: number;
      detail: string;
      /** What the backend said about it, bounded, on one line. It may repeat the message: not for the log. */
      words?: string;
    }
  /** The agent itself cannot make a post of this message, or nothing of its answer. */
  | { kind: 'unusable'; detail: string }
  | {
      kind: 'retry';
      cause: 'network' | 'timeout' | 'aborted' | 'server' | 'busy' | 'unauthorised' | 'not_found' | 'other';
      status?: number;
      retryAfterMs?: number;
      /** The backend cannot have taken it in: it was not reached. */
      unread?: true;
      detail: string;
      words?: string;
    };

/**
 * One part of a message, in the order in which its sender put them. `guid` is that of the attachment; null where chat.db marks
 * the place of a file and does not name the file.
 */
export type MessagePart = { type: 'text'; text: string } | { type: 'attachment'; guid: string | null };

export interface IncomingAttachment {
  guid: string;
  mimeType: string | null;
  filename: string | null;
  sizeBytes: number;
  /** What was said in an audio message, where a device wrote it down. */
  transcription?: string;
}

/** A message sent to us, as read from chat.db. `conversation` is the canonical key; `sentAt` Unix ms. */
export interface IncomingMessage {
  guid: string;
  rowId: number;
  conversation: string;
  threadId: string;
  chatGuid: string;
  sender: string;
  /** The texts of `parts`, a line break between two. */
  text: string;
  /** See messageParts.ts for where it is missing. */
  parts?: MessagePart[];
  /** How long the text was, in UTF-16 units, where `text` is only its beginning. */
  wholeLength?: number;
  sentAt: number;
  isGroup: boolean;
  participants: string[];
  service: string;
  /** Our address that it was sent to, canonical; left out if the row does not have it. */
  to?: string;
  replyToGuid: string | null;
  attachments: IncomingAttachment[];
}

/** A file for the backend, with what it belongs to. */
export interface Photo {
  bytes: Buffer;
  name: string;
  type: string;
  fields: PhotoFields;
}

/** `done`: the backend has it. `rejected`: it will never take it. */
export type PhotoResult =
  | { kind: 'done' }
  | { kind: 'rejected'; status: number; detail: string }
  | {
      kind: 'retry';
      cause?: Extract<PostResult, { kind: 'retry' }>['cause'];
      /** No connection was there to carry it. */
      unread?: true;
      retryAfterMs?: number;
      detail: string;
    };

/** What came in chat.db, as far as it decides whether the backend may see it. Addresses are canonical. */
export interface ForwardSubject {
  conversation: string;
  /** Null if not known, or done by ourselves. */
  sender: string | null;
  /** Messages keeps the chat apart, as of unknown senders or junk. */
  isFiltered: boolean;
  /** Something was sent from here in this chat. True if it is not checked. */
  isAcquainted: boolean;
  /** Null while only the people matter, or while it is not known. */
  text: string | null;
  /** Messages itself marked a code for signing in. */
  hasOneTimeCode: boolean;
}

/** Why the backend may not see something. */
export type ForwardRefusal = 'ignored' | 'not_allowed' | 'unknown_sender' | 'one_time_code';
