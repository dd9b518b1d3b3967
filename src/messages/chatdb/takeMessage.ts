import type { IncomingAttachment, IncomingMessage } from '../../model/incoming.js';
import { storedParts, textOf } from '../../store/messageParts.js';
import { canonicalAddress } from '../conversationId.js';
import type { DecodedBody } from './attributedBody.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import { roleOfLink, URL_BALLOON } from './linkPreview.js';
import type { Owner, Said } from './ownership.js';
import { isAppLine } from './plainWords.js';
import { changedAt, expectsFiles, filesLeft, isTakenBack, type RowBody, transcriptions } from './rowBody.js';
import { type Placed, refusal } from './rowFacts.js';
import { shownFiles } from './shownFiles.js';
import { type Awaited, type RowVerdict, type SkipReason, skipped } from './verdict.js';
import { writtenTo } from './writtenTo.js';

/** attachment.transfer_state: finished, and the two errors. Before that the file is on its way. */
const TRANSFER_ENDED: ReadonlySet<number> = new Set([5, 6, 7]);

/** What a row without a text seems to be until its text comes. */
const MAY_FILL: ReadonlySet<SkipReason> = new Set(['empty', 'damaged']);

/** The part of `classify` that is about messages of people: what they say, and whether all of it has arrived. */
export function takeMessage(
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
