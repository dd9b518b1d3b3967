import type { IncomingMessage } from '../../model/incoming.js';
import type { Refusal } from './forwardRules.js';
import type { RowEvent } from './rowEvents.js';

/**
 * What of a row has not arrived yet; Messages writes a message in several commits. group: the chat of a row that may be
 * a group's. late_text: a text that others behind the row need not wait for any more. preview: the text that a link's preview
 * belongs to. direction: whether it went out or came in; late_direction: the same of one that names nobody and is not finished,
 * for which others need not wait. proof: whether a row is that of a text that we sent.
 */
export type Awaited =
  | 'chat'
  | 'group'
  | 'text'
  | 'late_text'
  | 'attachments'
  | 'preview'
  | 'direction'
  | 'late_direction'
  | 'proof';

/** Why a row is not forwarded as a message. The words are shown in status. */
const SKIP_REASONS = {
  own: 'sent by ourselves, or from one of our addresses',
  echo: 'a message to ourselves, come back',
  copy: 'written again by iCloud under another guid',
  stale: 'too old to be answered',
  reaction: 'a tapback, sticker or vote on another message that is not reported',
  system: 'a group, location or call notice that is not reported',
  schedule: 'a message of this account that waits in Send Later',
  spam: 'marked as junk, or from a blocked sender',
  unsent: 'taken back by its sender',
  app: 'the balloon of an app, without text',
  preview: 'the preview of a link in a message before it',
  deleted: 'deleted by a person before it was read',
  damaged: 'marked as corrupt by Messages, or nothing of it could be read',
  empty: 'neither text nor file',
  senderless: 'no sender, and no chat that names one',
  chatless: 'no chat, and it may be of a group',
  ignored: 'of a person or group in forward.ignore',
  not_allowed: 'from somebody not in forward.allow',
  unknown_sender: 'from an unknown sender, and forward.unknown_senders is off',
  one_time_code: 'a code for signing in, and forward.one_time_codes is off',
} as const satisfies Record<Refusal, string> & Record<string, string>;

export type SkipReason = keyof typeof SKIP_REASONS;

/**
 * `editedAt` (Unix ms): the message had been changed, or a part of it taken back, already when it was read. `repeatsUs`: it says
 * what had just been sent from here. `linkOf`: it is the link of the message with this guid, whose text does not have it.
 */
export type RowVerdict =
  | {
      kind: 'message';
      message: IncomingMessage;
      bodyDamaged: boolean;
      editedAt: number | null;
      repeatsUs: boolean;
      linkOf?: string;
    }
  | { kind: 'event'; event: RowEvent }
  | { kind: 'incomplete'; waitingFor: Awaited }
  | Skipped;

/** A message that by its words alone is an echo: `from` this address, `of` this text. */
export interface EchoOf {
  from: string;
  of: string;
}

/** `event`: the backend is told that there was a message. */
interface Skipped {
  kind: 'left_out';
  reason: SkipReason;
  event?: RowEvent;
  echo?: EchoOf;
}

export function skipped(reason: SkipReason): Skipped {
  return { kind: 'left_out', reason };
}
