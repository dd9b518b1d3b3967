import type { ChatRow } from './chatRow.js';
import { NEIGHBOURS_WITHIN_MS, URL_BALLOON } from './links.js';
import { saidIn } from './ownership.js';
import { accountAddress, namesUs, type OwnMessage } from './selfChat.js';

/** What somebody wrote to us. `echoOf`: the text of ours that it was, though nothing but its words tells; null: it was another's. */
export interface Voice {
  address: string;
  echoOf: string | null;
}

/** So many of the newest are remembered; an echo follows within minutes. */
const REMEMBERED = 100;
/** So many texts of ours that came back, and not a word of its own between them, and an address counts as ours. */
const ECHOES_OF_OURS = 2;

/**
 * What lately went out from this account, noted as its rows are read, so that no query has to ask for it. The addresses
 * of the accounts are known with the very first row that was sent from them.
 */
export class OwnTraffic {
  private readonly messages = new Map<number, OwnMessage>();
  private readonly accounts = new Set<string>();
  private readonly echoes = new Map<string, ReadonlySet<string>>();
  private generation: string | undefined;

  constructor(private readonly region: () => string) {}

  /** Where ROWIDs are given out anew nothing that was noted holds. True if so, and at first: then note what is recent. */
  startsOver(generation: string): boolean {
    if (generation === this.generation) return false;
    this.generation = generation;
    this.messages.clear();
    return true;
  }

  /** ROWIDs were given out anew in the same file. */
  forget(): void {
    this.generation = undefined;
  }

  /** Notes a row, as it stands now; rows that are not ours are passed over. */
  note(row: ChatRow): void {
    if (row.isFromMe !== 1) return;
    const region = this.region();
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
  heard({ address, echoOf }: Voice): string | undefined {
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

  /** These addresses, and those of our accounts as far as rows have told. */
  with(addresses: ReadonlySet<string>): ReadonlySet<string> {
    const learned = [...this.accounts];
    return learned.every((address) => addresses.has(address))
      ? addresses
      : new Set([...addresses, ...learned]);
  }
}
