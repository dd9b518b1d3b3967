import { type LinkNeighbour, PREVIEW_WITHIN_MS, URL_BALLOON } from './linkPreview.js';
import { bodyOf, readableText } from './rowBody.js';
import type { ChatRow } from './rows.js';
import { accountAddress } from './selfChat.js';

/** A message of ours of which another may be the echo or the preview. Addresses are canonical; times are Unix ms. */
export interface OwnMessage extends LinkNeighbour {
  chatRowId: number | null;
  sentAt: number | null;
  /** What it was sent from, as far as the row tells. */
  from: readonly string[];
}

/** So many of the newest are remembered; an echo follows within minutes. */
const REMEMBERED = 100;

/**
 * What lately went out from this account, noted as its rows are read, so that no query has to ask for it. The addresses
 * of the accounts are known with the very first row that was sent from them.
 */
export class OwnTraffic {
  private readonly messages = new Map<number, OwnMessage>();
  private readonly accounts = new Set<string>();
  private generation: string | undefined;

  constructor(private readonly region: () => string) {}

  /** Where ROWIDs are given out anew nothing that was noted holds. True if so, and at first: then note what is recent. */
  startsOver(generation: string): boolean {
    if (generation === this.generation) return false;
    this.generation = generation;
    this.messages.clear();
    return true;
  }

  /** Notes a row, as it stands now; rows that are not ours are passed over. */
  note(row: ChatRow): void {
    if (row.isFromMe !== 1) return;
    const region = this.region();
    const account = accountAddress(row.account, region);
    if (account !== null) this.accounts.add(account);
    const from = [account, accountAddress(row.ownAddress, region)].flatMap((address) => address ?? []);
    const { rowId, chatRowId, sentAt } = row;
    this.messages.delete(rowId);
    const isPreview = row.balloonBundleId === URL_BALLOON;
    const text = readableText(bodyOf(row));
    this.messages.set(rowId, { rowId, chatRowId, sentAt, from, text, isPreview });
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
    const isNear = (at: number | null) => at !== null && Math.abs(at - sentAt) <= PREVIEW_WITHIN_MS;
    return this.inChat(chatRowId).filter((own) => own.rowId !== rowId && isNear(own.sentAt));
  }

  /** These addresses and those of our accounts, as far as rows have told. */
  with(addresses: ReadonlySet<string>): ReadonlySet<string> {
    const isKnown = [...this.accounts].every((account) => addresses.has(account));
    return isKnown ? addresses : new Set([...addresses, ...this.accounts]);
  }
}
