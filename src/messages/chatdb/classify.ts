import { textsIn } from '../../store/messageParts.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import type { ChatRow } from './chatRow.js';
import { directionAwaited, ownerOf, saidIn } from './ownership.js';
import { placementOf, senderOf } from './placement.js';
import { filteredEvent, groupEvent, isAboutAnother, operatorEvent, reactionEvent } from './rowEvents.js';
import { type Placed, type RowFacts, refusal } from './rowFacts.js';
import { takeMessage } from './takeMessage.js';
import { type RowVerdict, type SkipReason, skipped } from './verdict.js';

/**
 * What a row of `message` is to the agent. Pure: the same row and facts give the same verdict. What can never become
 * anything is said at once; a row that may is `incomplete` until everything has arrived or `waitedFor` says to take it as
 * it is. A message of files alone is a message with an empty text.
 */
export function classify(row: ChatRow, facts: RowFacts): RowVerdict {
  const unfit = neverTold(row);
  if (unfit !== null) return skipped(unfit);
  const { region, ownAddresses } = facts;
  const isOwn = row.isFromMe === 1;
  const isNotice = (row.itemType ?? 0) !== 0;
  const sender = isOwn ? null : senderOf(row, region);
  const sentAt = row.sentAt ?? facts.seenAt;
  if (sender !== null && ownAddresses.has(sender) && !isNotice) return skipped('own');
  const isStale = !facts.worthAnswering(sentAt);
  if (isStale && (isOwn || isNotice || !isToldOfLate(row, facts, sentAt)))
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

function isToldOfLate(row: ChatRow, { rules, seenAt }: RowFacts, sentAt: number): boolean {
  return rules.filtered && !isAboutAnother(row) && seenAt - sentAt < TOLD_FOR_MS;
}

function filtered(verdict: RowVerdict, placed: Placed): RowVerdict {
  if (verdict.kind !== 'left_out' || !TOLD.has(verdict.reason) || !placed.facts.rules.filtered)
    return verdict;
  return { ...verdict, event: filteredEvent(placed.row, placed, verdict.reason) };
}

/** What the row alone already rules out. */
function neverTold(row: ChatRow): SkipReason | null {
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
