import { canonicalAddress, conversationKey, parseThreadId } from '../conversationId.js';
import type { ChatRow } from './chatRow.js';
import type { Awaited, SkipReason } from './judgeRow.js';
import { isAnonymous } from './ownership.js';
import type { RowFacts } from './rowFacts.js';
import { GROUP_STYLE } from './schema.js';
import { keyOf } from './sentRows.js';

/** Where a row belongs. `none`: nowhere, for that reason. */
type Placement =
  | { kind: 'placed'; conversation: string; isGroup: boolean }
  | { kind: 'waiting'; waitingFor: Awaited }
  | { kind: 'none'; reason: SkipReason };

/**
 * Direct or group: the one place that says so. What was said in a group must never be answered to one person alone, so
 * whatever names a group (the chat, its guid, the room noted on the row) outweighs what names none, and a row without a chat is
 * direct only when nothing in chat.db speaks for a group: neither the row, its sender's chats, nor the message that it is about.
 */
export function placementOf(row: ChatRow, sender: string | null, facts: RowFacts): Placement {
  const { region, neighbours, waitedFor } = facts;
  const isOwn = row.isFromMe === 1;
  if (row.chatRowId === null) {
    if (neighbours.isDeleted) return { kind: 'none', reason: 'deleted' };
    if (!waitedFor('chat')) return { kind: 'waiting', waitingFor: 'chat' };
    if (isOwn) return { kind: 'none', reason: 'own' };
    if (neighbours.mayBeOfGroup) return groupAwaited(facts);
  } else if (!isGroup(row) && isInRoom(row)) {
    // The chat that is joined is one person's, and Messages noted a group: the group's join is on its way.
    return isOwn ? { kind: 'none', reason: 'own' } : groupAwaited(facts);
  }
  const conversation = conversationOf(row, sender, region);
  if (conversation !== null) return { kind: 'placed', conversation, isGroup: isGroup(row) };
  return { kind: 'none', reason: (row.itemType ?? 0) === 0 ? 'senderless' : 'system' };
}

/** Whose message it is: its handle, or in a direct chat the other side. A notice is only its handle's. */
export function senderOf(row: ChatRow, region: string): string | null {
  if (row.handle !== null && !isAnonymous(row)) return canonicalAddress(row.handle, region);
  const isNotice = (row.itemType ?? 0) !== 0;
  if (isNotice || row.chatIdentifier === null || row.chatIdentifier === '') return null;
  return isGroup(row) || isInRoom(row) ? null : canonicalAddress(row.chatIdentifier, region);
}

function groupAwaited({ waitedFor }: RowFacts): Placement {
  return waitedFor('group') ? { kind: 'none', reason: 'chatless' } : { kind: 'waiting', waitingFor: 'group' };
}

/** Its chat's; its sender's only where it has no chat. */
export function conversationOf(row: ChatRow, sender: string | null, region: string): string | null {
  const style = isGroup(row) ? GROUP_STYLE : row.chatStyle;
  const key = keyOf(row.chatIdentifier, style, region);
  if (key !== null) return key;
  const name = row.chatGuid ?? sender;
  return name === null ? null : conversationKey(name, region);
}

function isGroup(row: ChatRow): boolean {
  if (row.chatStyle === GROUP_STYLE) return true;
  return row.chatGuid !== null && parseThreadId(row.chatGuid).kind === 'group';
}

/** Whether Messages noted on the row that it is of a group. */
function isInRoom({ roomName, chatIdentifier }: ChatRow): boolean {
  return roomName !== null && roomName !== '' && roomName !== chatIdentifier;
}
