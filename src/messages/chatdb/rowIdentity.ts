import { createHash } from 'node:crypto';
import { SEEN_KEPT_DAYS, type SeenRow } from '../../store/cursor.js';
import { canonicalAddress, conversationKey, parseThreadId } from '../conversationId.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import type { Awaited, RowFacts, SkipReason } from './judgeRow.js';
import { isAnonymous, saidIn } from './ownership.js';
import { changedAt, normalisedText, type RowBody } from './rowBody.js';
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
function conversationOf(row: ChatRow, sender: string | null, region: string): string | null {
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

/**
 * What identifies a message beside its guid. iCloud writes messages again under a new guid and ROWID with the same chat, sender,
 * text and `date` to the nanosecond (anthropics/claude-plugins-official #5224: 1 958 such rows; #1165).
 */
export interface RowIdentity {
  /** Its canonical key, kept apart from the digest as it may move to another one; empty where it is not known. */
  conversation: string;
  /** A digest of sender, kind and exact date; null without a date: then only the guid identifies the row. */
  key: string | null;
  /** The key of a message stored before identities were: its date is known to the millisecond only. */
  legacyKey: string | null;
  text: string;
  /** A digest of the text as it compares. */
  words: string;
  /** The names of its files, or what they are; empty while none is joined. */
  files: string;
  /** Edited, or taken back in part or whole: its words need not be those of a copy. */
  changed: boolean;
  /** Two real messages may share its date, a whole second as SMS and old databases have it, if they are seen less apart, ms. */
  apartMs: number;
}

/**
 * Two rows with a date of whole seconds that are seen this close together are two messages; one that is seen later than that is a
 * copy. People send "ok" twice within a second by SMS, and both arrive at once; iCloud writes rows again hours later. iMessage
 * dates are exact since macOS 10.13, so a whole second is rare there and says nearly as much as any other date.
 */
const APART_MS = { carrier: 5 * 60_000, iMessage: 1_000 } as const;

/** Older rows are judged by their age alone and need not be remembered: iCloud brings years of them. */
export const REMEMBERED_MS = SEEN_KEPT_DAYS * 86_400_000;

const SECOND_NS = 1_000_000_000n;

/** The identity of a row as it is now. Pure. */
export function identityOf(row: ChatRow, attachments: readonly AttachmentRow[], region: string): RowIdentity {
  const { body, text } = saidIn(row);
  const isNotice = (row.itemType ?? 0) !== 0;
  const person = row.isFromMe === 1 ? null : senderOf(row, region);
  const conversation = conversationOf(row, person, region);
  const someone = person === conversation ? 'them' : (person ?? '');
  const sender = row.isFromMe === 1 ? 'me' : someone;
  const affected = row.otherHandle === null ? '' : canonicalAddress(row.otherHandle, region);
  const says = isNotice ? `${row.groupTitle ?? ''} ${affected}` : `${row.associatedEmoji ?? ''} ${text}`;
  const kind = [row.itemType ?? 0, row.groupActionType ?? 0, row.associatedType ?? 0, row.balloonBundleId];
  const isDated = conversation !== null && row.date !== null;
  const isMessage = !isNotice && (row.associatedType ?? 0) === 0;
  return {
    conversation: conversation ?? '',
    key: isDated ? digest([sender, row.date, ...kind]) : null,
    legacyKey: isDated && isMessage && row.sentAt !== null ? `ms ${sender} ${row.sentAt}` : null,
    text,
    words: digest([normalisedText(says)]),
    files: filesOf(attachments),
    changed: isChanged(row, body) || (row.isEmpty === 1 && text === ''),
    apartMs: apartMs(row),
  };
}

/**
 * The row that one is a copy of, out of those with its key. Of equal date, sender and conversation it is the same message if
 * it says the same and has no other files, or if one of the two was changed by its sender. `seenAt`: when this row was first seen.
 */
export function originalAmong(
  identity: RowIdentity,
  seenAt: number,
  candidates: readonly SeenRow[],
): SeenRow | undefined {
  const fitting = candidates.filter((known) => {
    if (seenAt - known.seenAt < identity.apartMs) return false;
    if (known.key === identity.legacyKey) return known.words === identity.text;
    if (identity.changed || known.changed) return true;
    if (known.words !== identity.words) return false;
    return known.files === identity.files || known.files === '' || identity.files === '';
  });
  // Of two real messages that share a coarse date, each copy is that of another one.
  const copies = (of: SeenRow) => candidates.filter(({ original }) => original === of.guid).length;
  return fitting.filter(isOriginal).toSorted((a, b) => copies(a) - copies(b))[0] ?? fitting[0];
}

/** What is remembered of a judged row; `original` is undefined if it is no copy. */
export function seenRow(
  guid: string,
  { conversation, key, words, files, changed }: RowIdentity,
  seenAt: number,
  original: SeenRow | undefined,
): SeenRow {
  return { guid, original: original?.original ?? guid, conversation, key, words, files, changed, seenAt };
}

function isChanged(row: ChatRow, body: RowBody): boolean {
  return changedAt(row, body) !== null || body.isAllUnsent || body.partsUnsent.length > 0;
}

function isOriginal({ guid, original }: SeenRow): boolean {
  return guid === original;
}

function apartMs({ date, service, datesAreSeconds }: ChatRow): number {
  if (date === null || BigInt(date) % SECOND_NS !== 0n) return Number.NEGATIVE_INFINITY;
  return datesAreSeconds === 1 || service !== 'iMessage' ? APART_MS.carrier : APART_MS.iMessage;
}

/** By name; by type and size where a file has none. The guid of a file changes with that of its message. */
function filesOf(attachments: readonly AttachmentRow[]): string {
  const shown = attachments.filter(({ hidden }) => hidden !== 1);
  const names = shown.map(({ filename, path, mimeType, sizeBytes }) => {
    const name = filename ?? path?.split('/').at(-1);
    return name === undefined ? `${mimeType ?? ''} ${sizeBytes}` : name.normalize('NFC');
  });
  return names.length === 0 ? '' : digest(names.toSorted());
}

function digest(parts: readonly (string | number | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 27);
}
