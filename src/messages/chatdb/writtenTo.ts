import { isPersonAddress } from '../conversationId.js';
import type { ChatRow } from './chatRow.js';
import { accountAddress, namesUs } from './selfChat.js';

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
