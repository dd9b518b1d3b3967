import type { EventType } from '../../model/events.js';
import type { ForwardRefusal, ForwardSubject, IncomingMessage } from '../../model/incoming.js';
import type { NewEvent } from '../../store/outbox.js';
import { canonicalAddress } from '../conversationId.js';
import { plainWords } from './attributedBody.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import type { LinkNeighbour } from './links.js';

/** A message that was sent from this account. `text` is empty if it has only files. */
interface OwnRow {
  guid: string;
  rowId: number;
  conversation: string;
  text: string;
  /** Unix ms. */
  sentAt: number | null;
}

/** `ours`: we sent it, or it is none of our business. `undecided`: a text of ours may yet turn out to be this. */
type OwnRowVerdict = 'ours' | 'undecided' | 'operator';

/**
 * Whether a row that chat.db does not show as sent or received may be one of our texts. `underWay`: a text whose row is
 * still looked for has these words, here or (Messages may choose another chat) elsewhere. `lost`: one of this
 * conversation was recently given up without a row.
 */
type MayBeOurs = 'underWay' | 'lost' | 'no';

/** What of chat.db becomes known beyond messages, and what is kept from the backend. */
export interface ForwardRules {
  reactions: boolean;
  groupEvents: boolean;
  /** Whether it is reported that a message was filtered because of its kind. */
  filtered: boolean;
  /** Whether `ForwardSubject.isAcquainted` has to be found out. */
  asksAcquaintance: boolean;
  /** Why the backend may not see it; null: it may. */
  refusal(subject: ForwardSubject): ForwardRefusal | null;
  ownRow(row: OwnRow): OwnRowVerdict;
  mayBeOurs(row: OwnRow & { isFinished: boolean }): MayBeOurs;
  /** Whether it is a text of ours, and no person's from another device. */
  isOurText(row: OwnRow): boolean;
  /** The id of an unproven text with these words that was sent to this conversation in this period (Unix ms). */
  unprovenText(said: { conversation: string; text: string; from: number; to: number }): string | undefined;
}

/** Messages of everybody and nothing else. */
export const MESSAGES_ALONE: ForwardRules = {
  reactions: false,
  groupEvents: false,
  filtered: false,
  asksAcquaintance: false,
  refusal: () => null,
  ownRow: () => 'ours',
  mayBeOurs: () => 'no',
  isOurText: () => false,
  unprovenText: () => undefined,
};

/**
 * The missing part of a row; Messages writes a message in several commits. group: the chat of a row that may be a
 * group's. late_text: a text for which later rows no longer wait. preview: the text that a link's preview belongs to.
 * direction: whether it was sent or received; late_direction: the same for a row without a handle that is not finished,
 * for which others do not wait. proof: whether a row belongs to a text that we sent.
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
  echo: 'the echo of a text to our own address',
  copy: 'written again by iCloud under another guid',
  stale: 'too old to be answered',
  reaction: 'a tapback, sticker or vote on another message that is not reported',
  system: 'a group, location or call notice that is not reported',
  schedule: 'a message of this account that waits in Send Later',
  spam: 'marked as junk, or from a blocked sender',
  unsent: 'unsent by its sender',
  app: 'the balloon of an app, without text',
  preview: 'the preview of a link in a message before it',
  deleted: 'deleted by a person before it was read',
  damaged: 'marked as corrupt by Messages, or nothing of it could be read',
  empty: 'neither text nor file',
  senderless: 'no sender, and no chat that names one',
  chatless: 'no chat, and it may be of a group',
  ignored: 'of a person or group in forward.ignore',
  not_allowed: 'from a person not in forward.allow',
  unknown_sender: 'from an unknown sender, and forward.unknown_senders is off',
  one_time_code: 'a sign-in code, and forward.one_time_codes is off',
} as const satisfies Record<ForwardRefusal, string> & Record<string, string>;

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

/** `event`: it is reported to the backend that there was a message. */
interface Skipped {
  kind: 'left_out';
  reason: SkipReason;
  event?: RowEvent;
  echo?: EchoOf;
}

export function skipped(reason: SkipReason): Skipped {
  return { kind: 'left_out', reason };
}

/** The event of a row that is not a message. `key` identifies it permanently, so it is reported once. */
export interface RowEvent extends NewEvent {
  key: string;
  threadId: string;
  /** The texts of `details.text`, where it has seams that a filter must see. */
  texts?: readonly string[];
}

/** What is known of the row when its event is made. `by` is canonical; null: not known, or ourselves. */
interface EventPlace {
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
      // The same person before and after: a new number, no one joined.
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

/** A message of ours of which another may be the echo or the preview. Addresses are canonical; times are Unix ms. */
export interface OwnMessage extends LinkNeighbour {
  chatRowId: number | null;
  /** The address that it was sent from, if the row has it. */
  from: readonly string[];
}

/** The data next to the row that matters for it. */
export interface RowNeighbours {
  /** For the preview of a link: other messages of its sender of about the same time, links among them. */
  companions: readonly LinkNeighbour[];
  /** For a direct message to us: what was sent from here in its chat lately. */
  ownMessages: readonly OwnMessage[];
  isAcquainted: boolean;
  isDeleted: boolean;
  /** For a message without a chat: chat.db names a group that it could be of. */
  mayBeOfGroup: boolean;
}

/** What `classify` gets in addition to the row. */
export interface RowFacts {
  region: string;
  /** Canonical. */
  ownAddresses: ReadonlySet<string>;
  /** Whether a message sent then (Unix ms) is still worth an answer. */
  worthAnswering(sentAt: number): boolean;
  /** When the row was first seen (Unix ms); used if it has no date. */
  seenAt: number;
  /** What this row has waited long enough for: it is taken without it. */
  waitedFor(awaited: Awaited): boolean;
  /** Handles of the row's chat, as written; of a group only. */
  participants: readonly string[];
  /** The files joined so far. */
  attachments: readonly AttachmentRow[];
  neighbours: RowNeighbours;
  /** Whether what came from this address last was what we had just sent there. */
  hasEchoed(address: string): boolean;
  /** Whether several texts came back from this address, and nothing else since: it counts as ours until it says another word. */
  onlyEchoes(address: string): boolean;
  rules: ForwardRules;
}

/** A row of which the sender and the conversation are known. */
export interface Placed extends EventPlace {
  row: ChatRow;
  facts: RowFacts;
}

/** Why the backend may not see this row; `text` is null while only the people matter. */
export function refusal(placed: Placed, text: string | null, hasOneTimeCode: boolean): ForwardRefusal | null {
  const { row, facts, conversation, by } = placed;
  return facts.rules.refusal({
    conversation,
    sender: by,
    isFiltered: (row.chatIsFiltered ?? 0) > 0,
    isAcquainted: facts.neighbours.isAcquainted,
    text,
    hasOneTimeCode,
  });
}
