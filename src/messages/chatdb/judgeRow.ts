import type { EventType } from '../../model/events.js';
import type { IncomingMessage } from '../../model/incoming.js';
import type { NewEvent } from '../../store/outbox.js';
import { canonicalAddress } from '../conversationId.js';
import type { ChatRow } from './chatRow.js';
import type { Refusal } from './forwardRules.js';
import { plainWords } from './plainWords.js';

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

/** What a row that is no message tells the backend. `key` names it for good: it is told once. */
export interface RowEvent extends NewEvent {
  key: string;
  threadId: string;
  /** The texts of `details.text`, where it has seams that a filter must see. */
  texts?: readonly string[];
}

/** What is known of the row when its event is made. `by` is canonical; null: nobody, or ourselves. */
export interface EventPlace {
  conversation: string;
  by: string | null;
  isGroup: boolean;
  sentAt: number;
  region: string;
}

/** associated_message_type less 2000 or 3000 (docs/facts.md#values). */
const REACTIONS = ['love', 'like', 'dislike', 'laugh', 'emphasize', 'question', 'emoji', 'sticker'] as const;
/** A sticker that was put on a bubble, before there were sticker tapbacks. */
const PLACED_STICKER = 1000;
const ADDED = 2000;
const REMOVED = 3000;

/** Whether a row is about another message: a tapback, a sticker, a vote. */
export function isAboutAnother(row: Pick<ChatRow, 'associatedType'>): boolean {
  const type = row.associatedType ?? 0;
  return type >= 1000 && type < 5000;
}

/** The event of a tapback or sticker; null for what is none of the known ones (a vote on a poll). */
export function reactionEvent(row: ChatRow, place: EventPlace): RowEvent | null {
  const type = row.associatedType ?? 0;
  const index = type === PLACED_STICKER ? REACTIONS.indexOf('sticker') : type % 1000;
  const reaction = REACTIONS[index];
  const isKnown = type === PLACED_STICKER || (type >= ADDED && type < REMOVED + 1000);
  if (!isKnown || reaction === undefined || place.by === null) return null;
  const target = targetOf(row);
  return eventOf(type >= REMOVED ? 'reaction_removed' : 'reaction_added', row, place, {
    message_guid: target.guid,
    part: target.part,
    reaction,
    ...(reaction === 'emoji' ? { emoji: row.associatedEmoji } : {}),
    sender: place.by,
    reaction_guid: row.guid,
  });
}

/** The message that a row is about, from `p:<part>/<GUID>`, `bp:<GUID>` (a balloon) or a bare guid. */
export function targetOf(row: Pick<ChatRow, 'associatedGuid'>): { guid: string | null; part: number | null } {
  const parts = /^(?:p:(\d+)\/|bp:)?(.+)$/s.exec(row.associatedGuid ?? '');
  const part = parts?.[1];
  return { guid: parts?.[2] ?? null, part: part === undefined ? null : Number(part) };
}

/** The event of a change of a group; null for what is none of the known ones (a background, a new number). */
export function groupEvent(row: ChatRow, place: EventPlace): RowEvent | null {
  const by = { by: place.by, by_us: row.isFromMe === 1 };
  const member = row.otherHandle === null ? null : canonicalAddress(row.otherHandle, place.region);
  const action = row.groupActionType ?? 0;
  switch (row.itemType) {
    case 1:
      // The same person before and after: a new number, nobody came.
      if (action === 0 && member !== null && member === place.by) return null;
      if (action > 1) return null;
      return eventOf(action === 0 ? 'group_member_added' : 'group_member_removed', row, place, {
        member,
        ...by,
      });
    case 2:
      return eventOf('group_renamed', row, place, { title: plainWords(row.groupTitle) || null, ...by });
    case 3:
      if (action === 0) return eventOf('group_member_left', row, place, { member: place.by, ...by });
      if (action > 2) return null;
      return eventOf('group_photo_changed', row, place, { removed: action === 2, ...by });
    default:
      return null;
  }
}

/** The event of a message that a person sent from this account by other means than the agent. */
export function operatorEvent(
  row: ChatRow,
  place: EventPlace,
  texts: readonly string[],
  wholeLength: number | null,
): RowEvent {
  const event = eventOf('operator_replied', row, place, {
    message_guid: row.guid,
    text: texts.join('\n'),
    ...(wholeLength === null ? {} : { truncated: true, original_length: wholeLength }),
    service: row.service ?? row.chatService ?? '',
  });
  return texts.length > 1 ? { ...event, texts } : event;
}

/** The event of a message that is kept back: that there was one, of whom and why, and nothing of what it says. */
export function filteredEvent(row: ChatRow, place: EventPlace, reason: string): RowEvent {
  return eventOf('message_filtered', row, place, {
    message_guid: row.guid,
    reason,
    sender: place.by,
    service: row.service ?? row.chatService ?? '',
  });
}

function eventOf(
  eventType: EventType,
  row: ChatRow,
  place: EventPlace,
  details: Record<string, unknown>,
): RowEvent {
  return {
    key: `row:${row.guid}`,
    eventType,
    threadId: place.conversation,
    details: {
      ...details,
      chat_guid: row.chatGuid ?? '',
      is_group: place.isGroup,
      sent_at: new Date(place.sentAt).toISOString(),
    },
  };
}
