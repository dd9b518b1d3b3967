import { createHash } from 'node:crypto';
import type { IncomingAttachment, IncomingMessage } from '../../model/incoming.js';
import { SEEN_KEPT_DAYS, type SeenRow } from '../../store/cursor.js';
import { storedParts, textOf, textsIn } from '../../store/incomingRecord.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { canonicalAddress, conversationKey, parseThreadId } from '../conversationId.js';
import { type DecodedBody, isAppLine } from './attributedBody.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import {
  type Awaited,
  filteredEvent,
  groupEvent,
  isAboutAnother,
  operatorEvent,
  type Placed,
  type RowFacts,
  type RowVerdict,
  reactionEvent,
  refusal,
  type SkipReason,
  skipped,
} from './judgeRow.js';
import { roleOfLink, URL_BALLOON } from './links.js';
import {
  directionAwaited,
  isAnonymous,
  type Owner,
  ownerOf,
  type Said,
  saidIn,
  writtenTo,
} from './ownership.js';
import {
  changedAt,
  expectsFiles,
  filesLeft,
  isTakenBack,
  normalisedText,
  type RowBody,
  shownFiles,
  transcriptions,
} from './rowBody.js';
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
function placementOf(row: ChatRow, sender: string | null, facts: RowFacts): Placement {
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

/** Whether Messages recorded a group on the row. */
function isInRoom({ roomName, chatIdentifier }: ChatRow): boolean {
  return roomName !== null && roomName !== '' && roomName !== chatIdentifier;
}

/**
 * What identifies a message besides its guid. iCloud writes messages again under a new guid and ROWID with the same
 * chat, sender, text and `date` to the nanosecond (anthropics/claude-plugins-official #5224: 1 958 such rows; #1165).
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

/** Older rows are judged only by their age and need not be remembered: iCloud may add years of them. */
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

/**
 * What a row of `message` is to the agent. Pure: the same row and facts give the same verdict. What can never become
 * anything is said at once; a row that may is `incomplete` until everything has arrived or `waitedFor` says to take it as
 * it is. A message of files alone is a message with an empty text.
 */
export function classify(row: ChatRow, facts: RowFacts): RowVerdict {
  const unfit = neverForwarded(row);
  if (unfit !== null) return skipped(unfit);
  const { region, ownAddresses } = facts;
  const isOwn = row.isFromMe === 1;
  const isNotice = (row.itemType ?? 0) !== 0;
  const sender = isOwn ? null : senderOf(row, region);
  const sentAt = row.sentAt ?? facts.seenAt;
  if (sender !== null && ownAddresses.has(sender) && !isNotice) return skipped('own');
  const isStale = !facts.worthAnswering(sentAt);
  if (isStale && (isOwn || isNotice || !isReportedLate(row, facts, sentAt)))
    return skipped(isOwn ? 'own' : 'stale');
  const placement = placementOf(row, sender, facts);
  if (placement.kind === 'waiting') return { kind: 'incomplete', waitingFor: placement.waitingFor };
  const conversation = placement.kind === 'placed' ? placement.conversation : null;
  const awaited = directionAwaited(row, { conversation, sender }, facts);
  if (awaited === 'ours') return skipped('own');
  if (awaited !== undefined) return { kind: 'incomplete', waitingFor: awaited };
  if (placement.kind === 'none') return skipped(placement.reason);
  const placed = { ...placement, row, facts, by: sender, sentAt, region };
  const refused = refusal(placed, null, false);
  if (refused !== null) return skipped(refused);
  if (isNotice) return notice(placed);
  if (isAboutAnother(row)) return reaction(placed);
  return message(placed, sender, isStale);
}

/** What is neither a notice nor about another message: by whose it is. */
function message(placed: Placed, sender: string | null, isStale: boolean): RowVerdict {
  const { row } = placed;
  const said = saidIn(row);
  const owner = ownerOf(placed, sender, said);
  switch (owner.kind) {
    case 'undecided':
      return { kind: 'incomplete', waitingFor: owner.waitingFor };
    case 'ours':
      return { ...skipped(owner.why), ...(owner.echo === undefined ? {} : { echo: owner.echo }) };
    case 'operator':
      return {
        kind: 'event',
        event: operatorEvent(row, placed, textsIn(said.parts), said.body.wholeLength),
      };
    case 'nobody':
      return skipped('senderless');
    case 'person': {
      const verdict = takeMessage(placed, owner, said);
      return filtered(isStale && verdict.kind === 'message' ? skipped('stale') : verdict, placed);
    }
  }
}

/** Filtered because of the kind of message. People who are filtered stay unknown to the backend. */
const TOLD: ReadonlySet<SkipReason> = new Set(['one_time_code', 'stale', 'app', 'damaged']);
/** Older messages are added by iCloud, and it is no longer known whether they were forwarded at the time. */
const TOLD_FOR_MS = 7 * 86_400_000;

function isReportedLate(row: ChatRow, { rules, seenAt }: RowFacts, sentAt: number): boolean {
  return rules.filtered && !isAboutAnother(row) && seenAt - sentAt < TOLD_FOR_MS;
}

function filtered(verdict: RowVerdict, placed: Placed): RowVerdict {
  if (verdict.kind !== 'left_out' || !TOLD.has(verdict.reason) || !placed.facts.rules.filtered)
    return verdict;
  return { ...verdict, event: filteredEvent(placed.row, placed, verdict.reason) };
}

/** What the row alone already rules out. */
function neverForwarded(row: ChatRow): SkipReason | null {
  if (hasEndlessName(row)) return 'damaged';
  if ((row.scheduleType ?? 0) !== 0) return 'schedule';
  if (row.isFromMe === 1 && (isAboutAnother(row) || row.isAutoReply === 1)) return 'own';
  // 1 to 3: people, name, photo of a group. The others are locations, kept audio and calls.
  if ((row.itemType ?? 0) > 3) return 'system';
  if (row.isFromMe === 1) return null;
  const isNotice = (row.itemType ?? 0) !== 0;
  if (!isNotice && (row.isSystemMessage === 1 || row.isServiceMessage === 1)) return 'system';
  if (row.isSpam === 1 || row.chatIsBlackholed === 1) return 'spam';
  if (row.isCorrupt === 1) return 'damaged';
  return null;
}

/** Names that Messages never makes so long. They are keys in the store and in memory, and cannot be cut. */
function hasEndlessName(row: ChatRow): boolean {
  const { guid, handle, chatGuid, chatIdentifier, roomName, service, account, ownAddress } = row;
  const { otherHandle, associatedGuid, threadOriginatorGuid, replyToGuid } = row;
  return [
    ...[guid, handle, chatGuid, chatIdentifier, roomName, service, account, ownAddress],
    ...[otherHandle, associatedGuid, threadOriginatorGuid, replyToGuid],
  ].some((name) => name !== null && name.length > INPUT_LIMITS.identifier);
}

function notice(placed: Placed): RowVerdict {
  const { row, facts, isGroup: inGroup } = placed;
  const event = facts.rules.groupEvents && inGroup ? groupEvent(row, placed) : null;
  return event === null ? skipped('system') : { kind: 'event', event };
}

function reaction(placed: Placed): RowVerdict {
  const event = placed.facts.rules.reactions ? reactionEvent(placed.row, placed) : null;
  return event === null ? skipped('reaction') : { kind: 'event', event };
}

/** attachment.transfer_state: finished, and the two errors. Before that the file is on its way. */
const TRANSFER_ENDED: ReadonlySet<number> = new Set([5, 6, 7]);

/** What a row without a text seems to be until its text comes. */
const MAY_FILL: ReadonlySet<SkipReason> = new Set(['empty', 'damaged']);

/** The part of `classify` that is about messages of people: what they say, and whether all of it has arrived. */
function takeMessage(
  placed: Placed,
  { sender, repeatsUs }: Extract<Owner, { kind: 'person' }>,
  { body, parts, words, text }: Said,
): RowVerdict {
  const { row, facts } = placed;
  const { attachments, neighbours } = facts;
  const left = filesLeft(body);
  const shown = shownFiles(
    left === null ? attachments : attachments.filter(({ guid }) => left.has(guid)),
    transcriptions(body),
  );
  if (hasSignOfUnsend(row, body) && isTakenBack(row, body, words, shown.length)) return skipped('unsent');
  const isLink = row.balloonBundleId === URL_BALLOON;
  const role = isLink ? roleOfLink({ ...row, link: words }, neighbours.companions) : undefined;
  if (text === '' && shown.length === 0) {
    if (role?.kind === 'preview') return skipped('preview');
    if ((isAppBalloon(row) && body.text !== null) || isAppLine(body.text)) return skipped('app');
    const awaited = expectsFiles(row, body) && attachments.length === 0 ? 'attachments' : 'text';
    if (!facts.waitedFor(awaited)) return { kind: 'incomplete', waitingFor: awaited };
    // Files may be joined minutes later: the message is taken without them, and EditedRows finds them.
    const reason = emptyReason(row, body, awaited);
    if (reason !== null && MAY_FILL.has(reason) && !facts.waitedFor('late_text')) {
      return { kind: 'incomplete', waitingFor: 'late_text' };
    }
    if (reason !== null) return skipped(reason);
  }
  const hasCode = body.runs.some((run) => run.attributes.oneTimeCode);
  const refused = refusal(placed, text, hasCode);
  if (refused !== null) return skipped(refused);
  if (role?.kind === 'preview') return skipped('preview');
  if (role?.kind === 'message' && !facts.waitedFor('preview'))
    return { kind: 'incomplete', waitingFor: 'preview' };
  if (!filesArrived(row, body, attachments) && !facts.waitedFor('attachments')) {
    return { kind: 'incomplete', waitingFor: 'attachments' };
  }
  return {
    kind: 'message',
    message: messageOf(placed, sender, { body, parts }, shown),
    bodyDamaged: body.fallback,
    editedAt: changedAt(row, body),
    repeatsUs,
    ...(role?.kind === 'joined' ? { linkOf: role.joins.guid } : {}),
  };
}

/** Before it is read for the first time an empty row may be one that is only being written: `is_empty` alone says nothing yet. */
function hasSignOfUnsend(row: ChatRow, body: RowBody): boolean {
  return row.retractedAt !== null || body.partsUnsent.length > 0;
}

function isAppBalloon(row: ChatRow): boolean {
  return row.balloonBundleId !== null && row.balloonBundleId !== URL_BALLOON;
}

/** All files that the body names, or as many as it has places for, are joined and none is on its way. */
function filesArrived(row: ChatRow, body: DecodedBody, attachments: readonly AttachmentRow[]): boolean {
  const named = body.runs.flatMap((run) => run.attributes.transferGuid ?? []);
  const guids = new Set(attachments.map((file) => file.guid));
  if (named.some((guid) => !guids.has(guid))) return false;
  const places = (body.text ?? '').split('\ufffc').length - 1;
  if (attachments.length < places || (row.hasAttachments === 1 && attachments.length === 0)) return false;
  return attachments.every((file) => file.hidden === 1 || TRANSFER_ENDED.has(file.transferState ?? 5));
}

/** Why a row without text and files is no message; null: it has files, which have not arrived. */
function emptyReason(row: ChatRow, body: DecodedBody, awaited: Awaited): SkipReason | null {
  if (row.isEmpty === 1 && row.partCount === 0) return 'unsent';
  if (body.fallback && body.text === null) return 'damaged';
  if (isAppBalloon(row)) return 'app';
  return awaited === 'attachments' ? null : 'empty';
}

function messageOf(
  placed: Placed,
  sender: string,
  { body, parts }: Pick<Said, 'body' | 'parts'>,
  attachments: IncomingAttachment[],
): IncomingMessage {
  const { row, facts, conversation, region, sentAt, isGroup: group } = placed;
  const people = group ? facts.participants : [];
  const to = writtenTo(row, facts.ownAddresses, region);
  return {
    guid: row.guid,
    rowId: row.rowId,
    conversation,
    threadId: conversation,
    chatGuid: row.chatGuid ?? '',
    sender,
    text: textOf(parts),
    ...storedParts(parts, attachments.length),
    ...(body.wholeLength === null ? {} : { wholeLength: body.wholeLength }),
    sentAt,
    isGroup: group,
    participants: [...new Set([...people.map((handle) => canonicalAddress(handle, region)), sender])],
    service: row.service ?? row.chatService ?? '',
    ...(to === null ? {} : { to }),
    replyToGuid: row.threadOriginatorGuid,
    attachments,
  };
}
