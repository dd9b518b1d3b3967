import type { MessagePart } from '../../model/incoming.js';
import { textOf } from '../../store/incomingRecord.js';
import { canonicalAddress, isPersonAddress } from '../conversationId.js';
import type { ChatRow } from './chatRow.js';
import type { Awaited, EchoOf } from './judgeRow.js';
import { isAboutAnother } from './judgeRow.js';
import { linkOf, roleOfLink, URL_BALLOON } from './links.js';
import { bodyOf, bodyParts, countedParts, expectsFiles, type RowBody, underSubject } from './rowBody.js';
import type { Placed, RowFacts } from './rowFacts.js';
import type { Schema } from './schema.js';
import {
  accountAddress,
  isEcho,
  isTelling,
  isToItsSender,
  namesUs,
  repeatable,
  repeatedOf,
} from './selfChat.js';

/** What a row says: `words` as they were typed, `text` and `parts` with the subject above them. */
export interface Said {
  body: RowBody;
  parts: MessagePart[];
  words: string;
  text: string;
}

/**
 * Whose a row is. `ours`: the agent's, or of no concern to it; `why` says by which rule, and `echo` that only its words tell.
 * `operator`: a person wrote it from this account by other means. `person`: a message to us; `repeatsUs` if it says what had just been
 * sent from here. `undecided`: ask again when more of it, or of a text of ours, is known.
 */
export type Owner =
  | { kind: 'ours'; why: 'own' | 'echo' | 'preview'; echo?: EchoOf }
  | { kind: 'operator' }
  | { kind: 'person'; sender: string; repeatsUs: boolean }
  | { kind: 'nobody' }
  | { kind: 'undecided'; waitingFor: Awaited };

/** Read once for each row of a look, however often it is asked: a body of hundreds of parts takes milliseconds. */
const read = new WeakMap<ChatRow, Said>();

/** Rows are not changed once they are read, and what they say is not to be changed either. */
export function saidIn(row: ChatRow): Said {
  const known = read.get(row);
  if (known !== undefined) return known;
  const said = readFrom(row);
  read.set(row, said);
  return said;
}

function readFrom(row: ChatRow): Said {
  const body = bodyOf(row);
  const typed = bodyParts(body);
  const words = linkOf(textOf(typed), row);
  // A preview may have its link elsewhere than in its body.
  const said = words === textOf(typed) ? typed : [{ type: 'text', text: words } as const, ...typed];
  const parts = countedParts(underSubject(row.subject, said));
  return { body, parts, words, text: textOf(parts) };
}

/**
 * The rule book: whose a row is that has its place (docs/guarantees.md has it as a table). Asked once for each row at each look,
 * by what reads; what confirms and follows texts uses the same comparison (`kinshipOf`) and the same directions.
 */
export function ownerOf(placed: Placed, sender: string | null, said: Said): Owner {
  if (placed.row.isFromMe === 1) return ownerOfSent(placed, said);
  if (sender === null) return { kind: 'nobody' };
  return ownerOfReceived(placed, sender, said);
}

/**
 * What a row waits for, or `ours`, while chat.db does not say for sure whether it went out; undefined where it does, or where it
 * was waited for long enough: then it is taken for what it seems. A row with the words of a text of ours that is under way waits
 * until that one is proven or given up; one that is not finished even then is that text's, for no message of a person stays so.
 * One that names nobody in any way answers nobody, so it waits on.
 */
export function directionAwaited(
  row: ChatRow,
  place: { conversation: string | null; sender: string | null },
  { rules, waitedFor }: Pick<RowFacts, 'rules' | 'waitedFor'>,
): Awaited | 'ours' | undefined {
  if (directionOf(row) !== 'unsettled') return undefined;
  const { guid, rowId, sentAt } = row;
  const isMessage = (row.itemType ?? 0) === 0 && !isAboutAnother(row);
  const conversation = place.conversation ?? '';
  const isFinished = row.isFinished !== 0;
  const candidate = { guid, rowId, sentAt, conversation, text: saidIn(row).text, isFinished };
  const mayBe = isMessage ? rules.mayBeOurs(candidate) : 'no';
  if (mayBe === 'underWay' && !waitedFor('proof')) return 'proof';
  if (!waitedFor('direction')) return 'direction';
  // Of a row of files alone only a handle tells whose they are.
  const isOurs = !isFinished && mayBe !== 'no' && (isAnonymous(row) || candidate.text !== '');
  if (isOurs) return 'ours';
  // A handle may come late, as a chat may; a notice is taken without one.
  const mayBeNamed = isAnonymous(row) && ((row.itemType ?? 0) === 0 || !isFinished);
  return mayBeNamed && place.sender === null && !waitedFor('late_direction') ? 'late_direction' : undefined;
}

/** What went out from this account: by us, or by a person with another device. */
function ownerOfSent({ row, facts, conversation }: Placed, { body, words, text }: Said): Owner {
  const { rules, neighbours, waitedFor } = facts;
  if (facts.ownAddresses.has(conversation) || facts.onlyEchoes(conversation)) return OWN;
  if (text === '' && !expectsFiles(row, body))
    return waitedFor('late_text') ? OWN : { kind: 'undecided', waitingFor: 'late_text' };
  const isLink = row.balloonBundleId === URL_BALLOON;
  if (isLink && roleOfLink({ ...row, link: words }, neighbours.companions).kind === 'preview')
    return { kind: 'ours', why: 'preview' };
  const { guid, rowId, sentAt } = row;
  const author = rules.ownRow({ guid, rowId, conversation, text, sentAt });
  if (author === 'ours') return OWN;
  if (author === 'undecided' && !waitedFor('proof')) return { kind: 'undecided', waitingFor: 'proof' };
  if (isLink && !waitedFor('preview')) return { kind: 'undecided', waitingFor: 'preview' };
  return { kind: 'operator' };
}

/** What came in: somebody else's, or a text of ours that came back. */
function ownerOfReceived(placed: Placed, sender: string, { words }: Said): Owner {
  const { row, facts, conversation, sentAt, region } = placed;
  if (isToItsSender(row, sender, region)) return { kind: 'ours', why: 'echo' };
  const isOwnChat = facts.ownAddresses.has(conversation) || facts.onlyEchoes(conversation);
  if (isEcho({ text: words, sender, sentAt, isOwnChat }, facts.neighbours.ownMessages))
    return { kind: 'ours', why: 'echo' };
  const repeated = repeatedWords(placed, sender, words);
  if (repeated?.isEcho) return { kind: 'ours', why: 'echo', echo: { from: sender, of: repeated.of } };
  return { kind: 'person', sender, repeatsUs: repeated !== undefined };
}

const OWN: Owner = { kind: 'ours', why: 'own' };

/**
 * The text of ours that a message says again, unless the row itself tells that somebody else wrote it to an address of ours.
 * `isEcho`: it has come back, though no row tells that its chat is one with ourselves: from the very address that it went to, at
 * once and to the letter. A person who sends a long text of ours back within seconds is mistaken for that.
 */
function repeatedWords(
  placed: Placed,
  sender: string,
  text: string,
): { of: string; isEcho: boolean } | undefined {
  const { row, conversation, facts, sentAt, region } = placed;
  const reached = accountAddress(row.ownAddress, region);
  if (reached !== null && facts.ownAddresses.has(reached)) return undefined;
  const stretch = repeatable(sentAt, facts.onlyEchoes(sender));
  const own = repeatedOf(text, stretch, facts.neighbours.ownMessages);
  const comesBack = sender === conversation && (isTelling(text) || facts.hasEchoed(sender));
  if (own === undefined) {
    // Our row may be an empty receipt, with the text in the one that came back alone (docs/facts.md#order-of-writes).
    const of =
      sender === conversation ? facts.rules.unprovenText({ conversation, text, ...stretch }) : undefined;
    return of === undefined ? undefined : { of, isEcho: comesBack };
  }
  const { guid, rowId } = own;
  const ownRow = { guid, rowId, conversation, text, sentAt: own.sentAt };
  return { of: guid, isEcho: comesBack && facts.rules.isOurText(ownRow) };
}

/** Whether a row went out or came in, as far as its columns are sure of it. */
export type Direction = 'out' | 'in' | 'unsettled';

type DirectionColumns = Pick<ChatRow, 'isFromMe' | 'handle' | 'isFinished' | 'isSent'>;

/**
 * Messages writes the row of a text that goes out from here as one that came in, without a handle and unfinished, and sets
 * `is_from_me` in a later update (openclaw/imsg #80, PR #87). A message that came in has a handle, is finished and never `is_sent`.
 * What is neither clearly one nor the other is not settled. `is_delivered` says nothing: messages that came in have it too.
 */
export function directionOf({ isFromMe, handle, isFinished, isSent }: DirectionColumns): Direction {
  if (isFromMe === 1) return 'out';
  return isAnonymous({ handle }) || isFinished === 0 || isSent === 1 ? 'unsettled' : 'in';
}

/** Whether a row names nobody. */
export function isAnonymous({ handle }: Pick<ChatRow, 'handle'>): boolean {
  return handle === null || handle === '';
}

/** The condition of SQL for a message (`m` with its handle `h`) that is `unsettled`; notices and reactions are none. */
export function unsettledDirection(schema: Schema): string {
  const m = (column: string) => schema.column('message', 'm', column);
  return `+m.is_from_me IS NOT 1 AND coalesce(${m('item_type')}, 0) = 0 AND coalesce(${m('associated_message_type')}, 0) = 0
    AND (coalesce(h.id, '') = '' OR +${m('is_finished')} = 0 OR +${m('is_sent')} = 1)`;
}

/** The addresses that are ours, canonical; one set object for as long as nothing changes. */
export class OwnAddresses {
  private known = '';
  private addresses: ReadonlySet<string> = new Set();

  /** `sources`: the configuration's addresses, those learned from chat.db. In any form. */
  constructor(
    private readonly region: () => string,
    private readonly sources: readonly (() => readonly string[])[],
  ) {}

  all(): ReadonlySet<string> {
    const written = this.sources.flatMap((source) => source());
    const region = this.region();
    const known = `${region}\n${written.join('\n')}`;
    if (known !== this.known) {
      this.known = known;
      this.addresses = new Set(written.map((address) => canonicalAddress(address, region)).filter(Boolean));
    }
    return this.addresses;
  }
}

/**
 * The address of ours that a message was sent to, canonical: `destination_caller_id`, else `account`. Null where neither
 * tells one. Of a message that did not come by iMessage only an address that is known as ours counts: such rows may be
 * written by the phone that relays them, with numbers of its own (claude-code #62022).
 */
export function writtenTo(
  row: Pick<ChatRow, 'service' | 'account' | 'ownAddress'>,
  ownAddresses: ReadonlySet<string>,
  region: string,
): string | null {
  const isTrusted = namesUs(row);
  for (const written of [row.ownAddress, row.account]) {
    const address = accountAddress(written, region);
    if (address === null || !isPersonAddress(address)) continue;
    if (isTrusted || ownAddresses.has(address)) return address;
  }
  return null;
}
