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

export interface WantedText {
  conversation: string;
  text: string;
}

/** From when on a text was wanted (Unix ms), by this machine's clock or by the backend's. */
export interface WantedSince {
  at: number;
  clock: 'own' | 'backend';
}

/** `unreadable`: it may have, and chat.db cannot be asked now, so that it is not known. */
export type GoneOut = 'no' | 'maybe' | 'unreadable';

/** Where it is known what went out before the store was restored. */
export interface SentTexts {
  /** Whether a text may have gone out when it was wanted: if so it is not too late. */
  mayHaveGoneOut(text: WantedText, since: WantedSince): GoneOut;
}

/** How a text that is too late ends; `message` says by how much. Where it is not known whether it went out, that is what is said. */
export function tooLateVerdict(message: string, goneOut: Exclude<GoneOut, 'maybe'>) {
  if (goneOut === 'no') {
    const result = { outcome: 'not_sent', retry_safe: true };
    return { kind: 'failed', code: 'too_late', message, result } as const;
  }
  const doubt = `${message} The store was restored, and chat.db cannot be read to see whether it was sent in time.`;
  const result = { outcome: 'unknown', retry_safe: false };
  return { kind: 'failed', code: 'outcome_unknown', message: doubt, result } as const;
}
