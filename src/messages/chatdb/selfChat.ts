import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { canonicalAddress } from '../conversationId.js';
import type { ChatRow } from './chatRow.js';
import type { LinkNeighbour } from './links.js';
import { normalisedText } from './rowBody.js';

/** Where no row tells what our message was sent from, an echo follows it so soon. */
const AT_ONCE_MS = 2000;
/** It comes back at once, or when a slow send is through: Messages has been seen to take 124 s. */
const WITHIN_MS = 180_000;
/** Clocks of a server and a Mac differ. */
const BEFORE_MS = 2000;

/** So soon a second row comes of which only its words tell what it is (docs/facts.md#order-of-writes). */
const REPEATED_WITHIN_MS = 15_000;
/** With shorter texts, "ok" or "thank you", people do answer the same. */
const TELLING_LENGTH = 12;

/** `message.account` without its `E:` or `P:`, as an address; null if there is none. */
export function accountAddress(account: string | null, region: string): string | null {
  const written = (account ?? '').replace(/^[ep]:/i, '').trim();
  return written === '' ? null : canonicalAddress(written, region);
}

/**
 * Whether `account` and `destination_caller_id` of a row name addresses of ours. Of an SMS another device may have written them,
 * with numbers that are not ours (claude-code #62022): a person's, taken for ours, would never be heard again.
 */
export function namesUs({ service }: Pick<ChatRow, 'service'>): boolean {
  return service?.toLowerCase() === 'imessage';
}

/** Whether a message came to the very address that it came from: the person here writes to themself. */
export function isToItsSender(
  row: Pick<ChatRow, 'service' | 'account' | 'ownAddress'>,
  sender: string,
  region: string,
): boolean {
  if (!namesUs(row)) return false;
  return [row.account, row.ownAddress].some((address) => accountAddress(address, region) === sender);
}

/**
 * Whether a message is the second row of one that was sent from here to an address of ours (docs/facts.md#order-of-writes): in the same
 * chat, and sent from the address that this one comes from. Where rows do not tell what ours was sent from: in a chat with
 * ourselves, of the same text as Messages keeps it, right after it. Elsewhere that is a person who answers with our words.
 */
export function isEcho(
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
 * When a text of ours went out (Unix ms) that a message of `sentAt` says again: right before it; or within minutes, where the
 * sender is one from whom only texts of ours come.
 */
export function repeatable(sentAt: number, onlyEchoes: boolean): { from: number; to: number } {
  return { from: sentAt - (onlyEchoes ? WITHIN_MS : REPEATED_WITHIN_MS), to: sentAt + BEFORE_MS };
}

/** The message of ours that one says again, as Messages keeps a text. */
export function repeatedOf(
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

/** Whether nobody says just this by chance. */
export function isTelling(text: string): boolean {
  return [...normalisedText(text).slice(0, 2 * TELLING_LENGTH)].length >= TELLING_LENGTH;
}

/** A message of ours of which another may be the echo or the preview. Addresses are canonical; times are Unix ms. */
export interface OwnMessage extends LinkNeighbour {
  chatRowId: number | null;
  /** What it was sent from, as far as the row tells. */
  from: readonly string[];
}
