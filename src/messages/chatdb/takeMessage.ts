import type { IncomingMessage } from '../../store/incoming.js';
import { canonicalAddress } from '../conversationId.js';
import type { DecodedBody } from './attributedBody.js';
import type { NeighbourText } from './NeighbourRows.js';
import { bodyOf, expectsFiles, readableText, transcriptions, underSubject } from './rowBody.js';
import { type Placed, refusal } from './rowFacts.js';
import type { AttachmentRow, ChatRow } from './rows.js';
import { isEcho, isToItsSender } from './selfChat.js';
import { type Awaited, type LeftOutReason, leftOut, type Verdict } from './verdict.js';

/** `message.balloon_bundle_id` of a link's preview. */
export const URL_BALLOON = 'com.apple.messages.URLBalloonProvider';
/** attachment.transfer_state: finished, and the two errors. Before that the file is on its way. */
const TRANSFER_ENDED: ReadonlySet<number> = new Set([5, 6, 7]);

/** The part of `classify` that is about messages to us: what they say, and whether all of it has arrived. */
export function takeMessage(placed: Placed, sender: string): Verdict {
  const { row, facts, sentAt, region } = placed;
  if (isToItsSender(row, sender, region)) return leftOut('echo');
  const body = bodyOf(row);
  const { attachments, neighbours } = facts;
  const words = readableText(body);
  const text = underSubject(row.subject, words);
  const shown = attachments.filter((file) => file.hidden !== 1);
  if (text === '' && shown.length === 0) {
    if (row.retractedAt !== null) return leftOut('unsent');
    if (isAppBalloon(row) && body.text !== null) return leftOut('app');
    const awaited = expectsFiles(row, body) && attachments.length === 0 ? 'attachments' : 'text';
    if (!facts.waitedFor(awaited)) return { kind: 'incomplete', waitingFor: awaited };
    return leftOut(emptyReason(row, body, awaited));
  }
  if (isEcho(words, sender, sentAt, neighbours.ownMessages)) return leftOut('echo');
  const hasCode = body.runs.some((run) => run.attributes.oneTimeCode);
  const refused = refusal(placed, text, hasCode);
  if (refused !== null) return leftOut(refused);
  if (row.balloonBundleId === URL_BALLOON) {
    if (isPreviewOf(words, neighbours.companions)) return leftOut('preview');
    if (!facts.waitedFor('preview')) return { kind: 'incomplete', waitingFor: 'preview' };
  }
  if (!filesArrived(row, body, attachments) && !facts.waitedFor('attachments')) {
    return { kind: 'incomplete', waitingFor: 'attachments' };
  }
  return {
    kind: 'message',
    message: messageOf(placed, sender, text, shown, transcriptions(body)),
    bodyDamaged: body.fallback,
    editedAt: row.editedAt,
  };
}

/** A link and its preview may be two rows: then the text has the link that the preview is of. */
function isPreviewOf(link: string, companions: readonly NeighbourText[]): boolean {
  const wanted = link.replace(/\/$/, '');
  return wanted !== '' && companions.some((other) => readableText(bodyOf(other)).includes(wanted));
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

function emptyReason(row: ChatRow, body: DecodedBody, awaited: Awaited): LeftOutReason {
  if (row.isEmpty === 1 && row.partCount === 0) return 'unsent';
  if (body.fallback && body.text === null) return 'damaged';
  if (isAppBalloon(row)) return 'app';
  return awaited === 'attachments' ? 'damaged' : 'empty';
}

function messageOf(
  placed: Placed,
  sender: string,
  text: string,
  files: readonly AttachmentRow[],
  said: ReadonlyMap<string, string>,
): IncomingMessage {
  const { row, facts, conversation, region, sentAt, isGroup: group } = placed;
  const people = group ? facts.participants : [];
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
      ...transcribed(said.get(file.guid)),
    })),
  };
}

function transcribed(transcription: string | undefined): { transcription?: string } {
  return transcription === undefined ? {} : { transcription };
}
