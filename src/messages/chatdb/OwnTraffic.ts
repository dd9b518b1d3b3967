import { bodyOf, readableText } from './rowBody.js';
import type { ChatRow } from './rows.js';
import { accountAddress } from './selfChat.js';

/** A message of ours of which another may be the echo. Addresses are canonical; times are Unix ms. */
export interface OwnMessage {
  rowId: number;
  chatRowId: number | null;
  sentAt: number | null;
  text: string;
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
    this.messages.set(rowId, { rowId, chatRowId, sentAt, from, text: readableText(bodyOf(row)) });
    const [oldest] = this.messages.keys();
    if (this.messages.size > REMEMBERED && oldest !== undefined) this.messages.delete(oldest);
  }

  /** What was sent from here in this chat lately. */
  inChat(chatRowId: number): OwnMessage[] {
    return [...this.messages.values()].filter((message) => message.chatRowId === chatRowId);
  }

  /** These addresses and those of our accounts, as far as rows have told. */
  with(addresses: ReadonlySet<string>): ReadonlySet<string> {
    const isKnown = [...this.accounts].every((account) => addresses.has(account));
    return isKnown ? addresses : new Set([...addresses, ...this.accounts]);
  }
}
