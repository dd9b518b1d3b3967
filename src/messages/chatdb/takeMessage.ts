import type { IncomingAttachment, IncomingMessage } from '../../model/incoming.js';
import { storedParts, textOf, textsIn } from '../../store/incomingRecord.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { canonicalAddress } from '../conversationId.js';
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
import { directionAwaited, type Owner, ownerOf, type Said, saidIn, writtenTo } from './ownership.js';
import {
  changedAt,
  expectsFiles,
  filesLeft,
  isTakenBack,
  type RowBody,
  shownFiles,
  transcriptions,
} from './rowBody.js';
import { placementOf, senderOf } from './rowIdentity.js';

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

/** Kept back for what the message is. Whoever is kept back for who they are stays unknown to the backend. */
const TOLD: ReadonlySet<SkipReason> = new Set(['one_time_code', 'stale', 'app', 'damaged']);
/** What is older, iCloud brings, and nobody knows any more whether it was forwarded in its day. */
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
