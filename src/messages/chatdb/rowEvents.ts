import type { NewEvent } from '../../store/events.js';
import { canonicalAddress } from '../conversationId.js';
import type { ChatRow } from './chatRow.js';
import { plainWords } from './plainWords.js';

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
  eventType: string,
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
