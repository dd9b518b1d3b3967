import type { SendRole } from './sendRecord.js';

/** A file that goes out: staged already (`path`), or to be fetched first (`url`). `name` is what the person sees. */
export type OutgoingFile = { readonly name: string } & ({ readonly path: string } | { readonly url: string });

/**
 * A text to be sent, with or without files; or files alone, with an empty text. `id` is derived from its cause: the same id
 * is never sent twice.
 */
export interface TextRequest {
  id: string;
  conversation: string;
  threadId: string;
  text: string;
  role: SendRole;
  /** 0 (immediate) to 4 (deferred). */
  priority: number;
  /** The least time since the conversation's previous text, in ms. */
  pauseMs: number;
  commandId?: string;
  scheduleId?: string;
  /** The guid of the message that this answers. */
  answers?: string;
  /** Sent after the text, each by itself. */
  files?: readonly OutgoingFile[];
}

/** Where texts go out; called inside a write. */
export interface TextQueue {
  enqueue(request: TextRequest): void;
}

/** Where it is known what went out before the store was restored. */
export interface SentTexts {
  /** Whether a text that was wanted at `since` (Unix ms) may have gone out then: if so it is not too late. */
  mayHaveGoneOut(text: { conversation: string; text: string }, since: number): boolean;
}
