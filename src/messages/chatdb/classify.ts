import { canonicalAddress, conversationKey, parseThreadId } from '../conversationId.js';
import { isPreviewOf, URL_BALLOON } from './linkPreview.js';
import { bodyOf, expectsFiles, readableText, underSubject } from './rowBody.js';
import { filteredEvent, groupEvent, isAboutAnother, operatorEvent, reactionEvent } from './rowEvents.js';
import { type Placed, type RowFacts, refusal } from './rowFacts.js';
import type { ChatRow } from './rows.js';
import { GROUP_STYLE } from './schema.js';
import { keyOf } from './sentRows.js';
import { takeMessage } from './takeMessage.js';
import { type LeftOutReason, leftOut, type Verdict } from './verdict.js';

/**
 * What a row of `message` is to the agent. Pure: the same row and facts give the same verdict. What can never become
 * anything is said at once; a row that may is `incomplete` until everything has arrived or `waitedFor` says to take it as
 * it is. A message of files alone is a message with an empty text.
 */
export function classify(row: ChatRow, facts: RowFacts): Verdict {
  const unfit = neverTold(row);
  if (unfit !== null) return leftOut(unfit);
  const { region, ownAddresses } = facts;
  const isOwn = row.isFromMe === 1;
  const isNotice = (row.itemType ?? 0) !== 0;
  const sender = isOwn ? null : senderOf(row, region, isNotice);
  const sentAt = row.sentAt ?? facts.seenAt;
  if (sender !== null && ownAddresses.has(sender) && !isNotice) return leftOut('own');
  const isStale = !facts.worthAnswering(sentAt);
  if (isStale && (isOwn || isNotice || !isToldOfLate(row, facts, sentAt)))
    return leftOut(isOwn ? 'own' : 'stale');
  if (row.chatRowId === null) {
    if (facts.neighbours.isDeleted) return leftOut('deleted');
    if (!facts.waitedFor('chat')) return { kind: 'incomplete', waitingFor: 'chat' };
    if (isOwn) return leftOut('own');
    // An answer to one person alone must not come of what was said in a group: rather none.
    if (facts.neighbours.mayBeOfGroup) {
      return facts.waitedFor('group') ? leftOut('chatless') : { kind: 'incomplete', waitingFor: 'group' };
    }
  }
  const conversation = conversationOf(row, sender, region);
  if (conversation === null) return leftOut(isNotice ? 'system' : 'senderless');
  const placed = { row, facts, conversation, by: sender, isGroup: isGroup(row), sentAt, region };
  const refused = refusal(placed, null, false);
  if (refused !== null) return leftOut(refused);
  if (isNotice) return notice(placed);
  if (isAboutAnother(row)) return reaction(placed);
  if (isOwn) return ownMessage(placed);
  if (sender === null) return leftOut('senderless');
  const verdict = takeMessage(placed, sender);
  return filtered(isStale && verdict.kind === 'message' ? leftOut('stale') : verdict, placed);
}

/** Kept back for what the message is. Whoever is kept back for who they are stays unknown to the backend. */
const TOLD: ReadonlySet<LeftOutReason> = new Set(['one_time_code', 'stale', 'app', 'damaged']);
/** What is older, iCloud brings, and nobody knows any more whether it was forwarded in its day. */
const TOLD_FOR_MS = 7 * 86_400_000;

function isToldOfLate(row: ChatRow, { rules, seenAt }: RowFacts, sentAt: number): boolean {
  return rules.filtered && !isAboutAnother(row) && seenAt - sentAt < TOLD_FOR_MS;
}

function filtered(verdict: Verdict, placed: Placed): Verdict {
  if (verdict.kind !== 'left_out' || !TOLD.has(verdict.reason) || !placed.facts.rules.filtered)
    return verdict;
  return { ...verdict, event: filteredEvent(placed.row, placed, verdict.reason) };
}

/** What the row alone already rules out. */
function neverTold(row: ChatRow): LeftOutReason | null {
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

/** Whose message it is: its handle, or in a direct chat the other side. A notice is only its handle's. */
function senderOf(row: ChatRow, region: string, isNotice: boolean): string | null {
  if (row.handle !== null && row.handle !== '') return canonicalAddress(row.handle, region);
  if (isNotice || row.chatIdentifier === null || row.chatIdentifier === '' || isGroup(row)) return null;
  return canonicalAddress(row.chatIdentifier, region);
}

/** Its chat's; its sender's only where it has no chat. */
function conversationOf(row: ChatRow, sender: string | null, region: string): string | null {
  const key = keyOf(row.chatIdentifier, row.chatStyle, region);
  if (key !== null) return key;
  const name = row.chatGuid ?? sender;
  return name === null ? null : conversationKey(name, region);
}

function isGroup(row: ChatRow): boolean {
  if (row.chatStyle !== null) return row.chatStyle === GROUP_STYLE;
  return row.chatGuid !== null && parseThreadId(row.chatGuid).kind === 'group';
}

function notice(placed: Placed): Verdict {
  const { row, facts, isGroup: inGroup } = placed;
  const event = facts.rules.groupEvents && inGroup ? groupEvent(row, placed) : null;
  return event === null ? leftOut('system') : { kind: 'event', event };
}

function reaction(placed: Placed): Verdict {
  const event = placed.facts.rules.reactions ? reactionEvent(placed.row, placed) : null;
  return event === null ? leftOut('reaction') : { kind: 'event', event };
}

/** What went out from this account: by us, or by a person with another device. */
function ownMessage(placed: Placed): Verdict {
  const { row, facts, conversation } = placed;
  if (facts.ownAddresses.has(conversation) || facts.onlyEchoes(conversation)) return leftOut('own');
  const body = bodyOf(row);
  const text = underSubject(row.subject, readableText(body));
  if (text === '' && !expectsFiles(row, body)) {
    return facts.waitedFor('late_text') ? leftOut('own') : { kind: 'incomplete', waitingFor: 'late_text' };
  }
  const isLink = row.balloonBundleId === URL_BALLOON;
  if (isLink && isPreviewOf(text, row.rowId, facts.neighbours.companions)) return leftOut('preview');
  const author = facts.rules.ownRow({ guid: row.guid, rowId: row.rowId, conversation, text });
  if (author === 'ours') return leftOut('own');
  if (author === 'undecided' && !facts.waitedFor('proof')) return { kind: 'incomplete', waitingFor: 'proof' };
  if (isLink && !facts.waitedFor('preview')) return { kind: 'incomplete', waitingFor: 'preview' };
  return { kind: 'event', event: operatorEvent(row, placed, text) };
}
