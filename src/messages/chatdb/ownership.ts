import type { MessagePart } from '../../model/incoming.js';
import { textOf } from '../../store/incomingRecord.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { canonicalAddress, isPersonAddress } from '../conversationId.js';
import type { ChatRow } from './chatRow.js';
import {
  type Awaited,
  type EchoOf,
  isAboutAnother,
  type OwnMessage,
  type Placed,
  type RowFacts,
} from './judgeRow.js';
import { linkOf, NEIGHBOURS_WITHIN_MS, roleOfLink, URL_BALLOON } from './links.js';
import {
  bodyOf,
  bodyParts,
  countedParts,
  expectsFiles,
  normalisedText,
  type RowBody,
  underSubject,
} from './rowBody.js';
import type { Schema } from './schema.js';

/** If no row shows the address that our message was sent from, an echo follows it within this time. */
const AT_ONCE_MS = 2000;
/** It comes back at once, or when a slow send is through: Messages has been seen to take 124 s. */
const WITHIN_MS = 180_000;
/** Clocks of a server and a Mac differ. */
const BEFORE_MS = 2000;

/** A second row that can only be identified by its words comes within this time (docs/facts.md#order-of-writes). */
const REPEATED_WITHIN_MS = 15_000;
/** With shorter texts, "ok" or "thank you", people do answer the same. */
const TELLING_LENGTH = 12;

/** `message.account` without its `E:` or `P:`, as an address; null if there is none. */
export function accountAddress(account: string | null, region: string): string | null {
  const written = (account ?? '').replace(/^[ep]:/i, '').trim();
  return written === '' ? null : canonicalAddress(written, region);
}

/**
 * Whether `account` and `destination_caller_id` of a row name addresses of ours. For an SMS another device may have
 * written them, with numbers that are not ours (claude-code #62022): a person whose number counted as ours would never
 * be answered again.
 */
function namesUs({ service }: Pick<ChatRow, 'service'>): boolean {
  return service?.toLowerCase() === 'imessage';
}

/** Whether a message came to the very address that it came from: the person here writes to themself. */
function isToItsSender(
  row: Pick<ChatRow, 'service' | 'account' | 'ownAddress'>,
  sender: string,
  region: string,
): boolean {
  if (!namesUs(row)) return false;
  return [row.account, row.ownAddress].some((address) => accountAddress(address, region) === sender);
}

/**
 * Whether a message is the second row of one that was sent from here to an address of ours
 * (docs/facts.md#order-of-writes): in the same chat, and sent from the address that this one comes from. If rows do not
 * show the address that ours was sent from: in a chat with ourselves, with the same text as stored by Messages, right
 * after it. Elsewhere that is a person who answers with our words.
 */
function isEcho(
  { text, sender, sentAt, isOwnChat }: { text: string; sender: string; sentAt: number; isOwnChat: boolean },
  ownMessages: readonly OwnMessage[],
): boolean {
  return ownMessages.some((own) => {
    const laterBy = sentAt - (own.sentAt ?? Number.NEGATIVE_INFINITY);
    if (laterBy < -BEFORE_MS || laterBy > WITHIN_MS) return false;
    if (own.from.length > 0) return own.from.includes(sender);
    if (!isOwnChat || laterBy < 0 || laterBy > AT_ONCE_MS || text === '') return false;
    return keptOf(own.text) === normalisedText(text);
  });
}

/**
 * When the text of ours was sent (Unix ms) that a message of `sentAt` repeats: right before it; or within minutes, if
 * the sender only sends texts of ours.
 */
function repeatable(sentAt: number, onlyEchoes: boolean): { from: number; to: number } {
  return { from: sentAt - (onlyEchoes ? WITHIN_MS : REPEATED_WITHIN_MS), to: sentAt + BEFORE_MS };
}

/** The message of ours that one says again, as Messages keeps a text. */
function repeatedOf(
  text: string,
  { from, to }: { from: number; to: number },
  ownMessages: readonly OwnMessage[],
): OwnMessage | undefined {
  const said = normalisedText(text);
  if (said === '') return undefined;
  return ownMessages.find(
    ({ sentAt, text: own }) => sentAt !== null && sentAt >= from && sentAt <= to && keptOf(own) === said,
  );
}

/** A text of ours as far as it would be read if it came back. */
function keptOf(own: string): string {
  return normalisedText(own.slice(0, INPUT_LIMITS.messageText));
}

/** Whether these words are too long for a coincidence. */
export function isTelling(text: string): boolean {
  return [...normalisedText(text).slice(0, 2 * TELLING_LENGTH)].length >= TELLING_LENGTH;
}

/** What a row says: `words` as they were typed, `text` and `parts` with the subject above them. */
export interface Said {
  body: RowBody;
  parts: MessagePart[];
  words: string;
  text: string;
}

/**
 * The sender of a row. `ours`: the agent, or irrelevant to it; `why` names the rule, and `echo` means that only its
 * words show it. `operator`: a person wrote it from this account by other means. `person`: a message to us; `repeatsUs`
 * if it repeats what was just sent from here. `undecided`: judge again when more of it, or of one of our texts, is
 * known.
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
 * What a row waits for, or `ours`, while chat.db does not show for certain whether it was sent; undefined if it does,
 * or if it has waited long enough: then it counts as what it seems. A row with the words of one of our texts in
 * progress waits until that one is proven or given up; if it is still not finished, it belongs to that text, because no
 * message of a person stays unfinished. A row without any address cannot be answered, so it keeps waiting.
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
  // For a row with only files, only a handle shows the sender.
  const isOurs = !isFinished && mayBe !== 'no' && (isAnonymous(row) || candidate.text !== '');
  if (isOurs) return 'ours';
  // A handle may come late, as a chat may; a notice is taken without one.
  const mayBeNamed = isAnonymous(row) && ((row.itemType ?? 0) === 0 || !isFinished);
  return mayBeNamed && place.sender === null && !waitedFor('late_direction') ? 'late_direction' : undefined;
}

/** A row sent from this account: by us, or by a person with another device. */
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

/** A received row: from another person, or one of our texts that came back. */
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
 * The text of ours that a message repeats, unless the row itself shows that another person wrote it to one of our
 * addresses. `isEcho`: it has come back, although no row shows that its chat is one with ourselves: from the same
 * address that it was sent to, immediately and unchanged. A person who sends one of our long texts back within seconds
 * is mistaken for an echo.
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

/** Whether a row was sent or received, if its columns show it for certain. */
export type Direction = 'out' | 'in' | 'unsettled';

type DirectionColumns = Pick<ChatRow, 'isFromMe' | 'handle' | 'isFinished' | 'isSent'>;

/**
 * Messages first writes the row of an outgoing text as a received one, without a handle and unfinished, and sets
 * `is_from_me` in a later update (openclaw/imsg #80, PR #87). A received message has a handle, is finished and never
 * `is_sent`. A row that is neither clearly one nor the other is not settled. `is_delivered` shows nothing: received
 * messages have it too.
 */
export function directionOf({ isFromMe, handle, isFinished, isSent }: DirectionColumns): Direction {
  if (isFromMe === 1) return 'out';
  return isAnonymous({ handle }) || isFinished === 0 || isSent === 1 ? 'unsettled' : 'in';
}

/** Whether a row has no address of a person. */
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
    private readonly region: string,
    private readonly sources: readonly (() => readonly string[])[],
  ) {}

  all(): ReadonlySet<string> {
    const written = this.sources.flatMap((source) => source());
    const { region } = this;
    const known = `${region}\n${written.join('\n')}`;
    if (known !== this.known) {
      this.known = known;
      this.addresses = new Set(written.map((address) => canonicalAddress(address, region)).filter(Boolean));
    }
    return this.addresses;
  }
}

/**
 * Our address that a message was sent to, canonical: `destination_caller_id`, else `account`. Null if neither has one.
 * For a message that did not come by iMessage only an address that is known as ours counts: such rows may be written by
 * the phone that relays them, with numbers of its own (claude-code #62022).
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

/** A message to us. `echoOf`: the text of ours that it repeats, recognised only by its words; null: it is from another person. */
export interface Voice {
  address: string;
  echoOf: string | null;
}

/** So many of the newest are remembered; an echo follows within minutes. */
const REMEMBERED = 100;
/** After this many of our texts came back, with no other message in between, an address counts as ours. */
const ECHOES_OF_OURS = 2;

/**
 * Recently sent rows of this account, recorded as they are read, so that no query is needed. The addresses of the
 * accounts are known from the first row that was sent from them.
 */
export class OwnTraffic {
  private readonly messages = new Map<number, OwnMessage>();
  private readonly accounts = new Set<string>();
  private readonly echoes = new Map<string, ReadonlySet<string>>();
  private generation: string | undefined;

  constructor(private readonly region: string) {}

  /** If ROWIDs are reassigned, the recorded rows are invalid. True in that case, and at first: then record the recent rows. */
  startsOver(generation: string): boolean {
    if (generation === this.generation) return false;
    this.generation = generation;
    this.messages.clear();
    return true;
  }

  /** ROWIDs were reassigned in the same file. */
  forget(): void {
    this.generation = undefined;
  }

  /** Records the current state of a row; rows that are not ours are skipped. */
  note(row: ChatRow): void {
    if (row.isFromMe !== 1) return;
    const { region } = this;
    const isTrusted = namesUs(row);
    const account = isTrusted ? accountAddress(row.account, region) : null;
    const caller = isTrusted ? accountAddress(row.ownAddress, region) : null;
    if (account !== null) this.accounts.add(account);
    const from = [account, caller].flatMap((address) => address ?? []);
    const { rowId, guid, chatRowId, sentAt } = row;
    this.messages.delete(rowId);
    const isPreview = row.balloonBundleId === URL_BALLOON;
    const text = saidIn(row).words;
    this.messages.set(rowId, { rowId, guid, chatRowId, sentAt, from, text, isPreview });
    const [oldest] = this.messages.keys();
    if (this.messages.size > REMEMBERED && oldest !== undefined) this.messages.delete(oldest);
  }

  /** What was sent from here in this chat lately. */
  inChat(chatRowId: number): OwnMessage[] {
    return [...this.messages.values()].filter((message) => message.chatRowId === chatRowId);
  }

  /** What else was sent from here in the chat of this row, at about the same time. */
  beside({ rowId, chatRowId, sentAt }: ChatRow): OwnMessage[] {
    if (chatRowId === null || sentAt === null) return [];
    const isNear = (at: number | null) => at !== null && Math.abs(at - sentAt) <= NEIGHBOURS_WITHIN_MS;
    return this.inChat(chatRowId).filter((own) => own.rowId !== rowId && isNear(own.sentAt));
  }

  /** Notes whose words a message was. Answers in words for the log if its sender counts as another from now on. */
  noteVoice({ address, echoOf }: Voice): string | undefined {
    const wasOurs = this.onlyEchoes(address);
    if (echoOf === null) this.echoes.delete(address);
    else this.echoes.set(address, new Set([...(this.echoes.get(address) ?? []), echoOf]));
    const isOurs = this.onlyEchoes(address);
    if (isOurs === wasOurs) return undefined;
    return isOurs
      ? 'Messages to this address echo back; treating it as our own'
      : 'An address treated as our own sends messages of its own; forwarding it again';
  }

  /** Whether what came from this address last was an echo. */
  hasEchoed(address: string): boolean {
    return this.echoes.has(address);
  }

  /** Whether an address counts as ours, for several texts came back from there and nothing else has since. */
  onlyEchoes(address: string): boolean {
    return (this.echoes.get(address)?.size ?? 0) >= ECHOES_OF_OURS;
  }

  /** These addresses, and those of our accounts that rows have shown. */
  with(addresses: ReadonlySet<string>): ReadonlySet<string> {
    const learned = [...this.accounts];
    return learned.every((address) => addresses.has(address))
      ? addresses
      : new Set([...addresses, ...learned]);
  }
}
