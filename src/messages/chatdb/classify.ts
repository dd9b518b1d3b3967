import type { IncomingMessage } from '../../store/incoming.js';
import { canonicalAddress, conversationKey, parseThreadId } from '../conversationId.js';
import { type DecodedBody, decodeAttributedBody } from './attributedBody.js';
import type { AttachmentRow, ChatRow } from './rows.js';
import { GROUP_STYLE, keyOf } from './sentRows.js';

/** What of a row has not arrived yet; Messages writes a message in several commits. */
export type Awaited = 'chat' | 'text' | 'attachments';

/** Why a row is not forwarded as a message. The words are shown in status. */
export const LEFT_OUT = {
  own: 'sent by ourselves, or from one of our addresses',
  stale: 'older than it is worth answering',
  reaction: 'a tapback, sticker or vote on another message',
  system: 'a group, location or call notice',
  schedule: 'a message of ours that waits in Send Later',
  spam: 'marked as junk, or from a blocked sender',
  unsent: 'taken back by its sender',
  app: 'the balloon of an app, without text',
  damaged: 'marked as corrupt by Messages, or nothing of it could be read',
  empty: 'neither text nor file',
  senderless: 'no sender, and no chat that names one',
} as const;

export type LeftOutReason = keyof typeof LEFT_OUT;

export type Verdict =
  | { kind: 'message'; message: IncomingMessage; bodyDamaged: boolean }
  | { kind: 'incomplete'; waitingFor: Awaited }
  | { kind: 'left_out'; reason: LeftOutReason };

/** What `classify` is told beside the row. */
export interface RowFacts {
  region: string;
  /** Canonical. */
  ownAddresses: ReadonlySet<string>;
  /** Whether a message sent then (Unix ms) is still worth an answer. */
  worthAnswering(sentAt: number): boolean;
  /** When the row was first seen (Unix ms); stands in for a date it has not. */
  seenAt: number;
  /** What this row has waited long enough for: it is taken without it. */
  waitedFor(awaited: Awaited): boolean;
  /** Handles of the row's chat, as written; of a group only. */
  participants: readonly string[];
  /** The files joined so far. */
  attachments: readonly AttachmentRow[];
}

const URL_BALLOON = 'com.apple.messages.URLBalloonProvider';
/** attachment.transfer_state: finished, and the two errors. Before that the file is on its way. */
const TRANSFER_ENDED: ReadonlySet<number> = new Set([5, 6, 7]);
/** U+FFFC stands for a file, U+FFFD for an app's balloon. */
const PLACEHOLDERS = /[\ufffc\ufffd]/g;

/**
 * What a row of `message` is to the agent. Pure: the same row and facts give the same verdict. What can never
 * become a message is said at once; a row that may is `incomplete` until everything has arrived or `waitedFor`
 * says to take it as it is. A message of files alone is a message with an empty text.
 */
export function classify(row: ChatRow, facts: RowFacts): Verdict {
  const unfit = neverAMessage(row);
  if (unfit !== null) return { kind: 'left_out', reason: unfit };
  const sentAt = row.sentAt ?? facts.seenAt;
  const sender = senderOf(row, facts.region);
  if (sender !== null && facts.ownAddresses.has(sender)) return { kind: 'left_out', reason: 'own' };
  if (!facts.worthAnswering(sentAt)) return { kind: 'left_out', reason: 'stale' };
  if (row.chatRowId === null && !facts.waitedFor('chat')) return { kind: 'incomplete', waitingFor: 'chat' };
  if (sender === null) return { kind: 'left_out', reason: 'senderless' };

  const body = bodyOf(row);
  const { attachments } = facts;
  const text = (body.text ?? '').replace(PLACEHOLDERS, '').trim();
  const shown = attachments.filter((file) => file.hidden !== 1);
  if (text === '' && shown.length === 0) {
    if (isAppBalloon(row) && body.text !== null) return { kind: 'left_out', reason: 'app' };
    const awaited = expectsFiles(row, body) && attachments.length === 0 ? 'attachments' : 'text';
    if (!facts.waitedFor(awaited)) return { kind: 'incomplete', waitingFor: awaited };
    return { kind: 'left_out', reason: emptyReason(row, body, awaited) };
  }
  if (!filesArrived(row, body, attachments) && !facts.waitedFor('attachments')) {
    return { kind: 'incomplete', waitingFor: 'attachments' };
  }
  const message = messageOf(row, sender, text, sentAt, shown, facts);
  return { kind: 'message', message, bodyDamaged: body.fallback };
}

/** What the row alone already rules out. Own rows first: what we sent is ours whatever else it is. */
function neverAMessage(row: ChatRow): LeftOutReason | null {
  if (row.isFromMe === 1) return 'own';
  if ((row.itemType ?? 0) !== 0) return 'system';
  const associated = row.associatedType ?? 0;
  if (associated >= 1000 && associated < 5000) return 'reaction';
  if (row.isSystemMessage === 1 || row.isServiceMessage === 1) return 'system';
  if ((row.scheduleType ?? 0) !== 0) return 'schedule';
  if (row.isSpam === 1 || row.chatIsBlackholed === 1) return 'spam';
  if (row.isCorrupt === 1) return 'damaged';
  if (row.retractedAt !== null) return 'unsent';
  return null;
}

/** Whose message it is: its handle, or in a direct chat the other side. */
function senderOf(row: ChatRow, region: string): string | null {
  if (row.handle !== null && row.handle !== '') return canonicalAddress(row.handle, region);
  if (row.chatIdentifier === null || row.chatIdentifier === '' || isGroup(row)) return null;
  return canonicalAddress(row.chatIdentifier, region);
}

function isGroup(row: ChatRow): boolean {
  if (row.chatStyle !== null) return row.chatStyle === GROUP_STYLE;
  return row.chatGuid !== null && parseThreadId(row.chatGuid).kind === 'group';
}

/** attributedBody before text: since macOS 26 only it has the text (macos-facts A.5), and it names the files. */
function bodyOf(row: ChatRow): DecodedBody {
  if (row.attributedBody === null) return { text: row.text, runs: [], fallback: false };
  const body = decodeAttributedBody(row.attributedBody);
  return body.fallback ? { ...body, text: row.text ?? body.text } : body;
}

function isAppBalloon(row: ChatRow): boolean {
  return row.balloonBundleId !== null && row.balloonBundleId !== URL_BALLOON;
}

function expectsFiles(row: ChatRow, body: DecodedBody): boolean {
  return row.hasAttachments === 1 || (body.text ?? '').includes('\ufffc');
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

function emptyReason(row: ChatRow, body: DecodedBody, awaited: Awaited): LeftOutReason {
  if (row.isEmpty === 1 && row.partCount === 0) return 'unsent';
  if (body.fallback && body.text === null) return 'damaged';
  if (isAppBalloon(row)) return 'app';
  return awaited === 'attachments' ? 'damaged' : 'empty';
}

function messageOf(
  row: ChatRow,
  sender: string,
  text: string,
  sentAt: number,
  files: readonly AttachmentRow[],
  facts: RowFacts,
): IncomingMessage {
  const { region } = facts;
  const group = isGroup(row);
  const people = group ? facts.participants : [];
  const conversation = keyOf(row.chatIdentifier, row.chatStyle, region) ?? conversationKey(sender, region);
  return {
    guid: row.guid,
    rowId: row.rowId,
    conversation,
    threadId: conversation,
    chatGuid: row.chatGuid ?? '',
    sender,
    text,
    sentAt,
    isGroup: group,
    participants: [...new Set([...people.map((handle) => canonicalAddress(handle, region)), sender])],
    service: row.service ?? row.chatService ?? '',
    replyToGuid: row.threadOriginatorGuid,
    attachments: files.map((file) => ({
      guid: file.guid,
      mimeType: file.mimeType,
      filename: file.filename ?? file.path?.split('/').at(-1) ?? null,
      sizeBytes: file.sizeBytes,
    })),
  };
}
