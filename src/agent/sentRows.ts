import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import { normalisedText } from '../messages/chatdb/normalisedText.js';
import type { SentRows } from '../outgoing/ports.js';

/** Rows looked at in one go; outgoing rows after an attempt are few. */
const MOST_ROWS = 1000;

/** chat.db for the outgoing room: the rows that prove what was sent. */
export function sentRows(chatDb: ChatDb, conversationOf: (address: string) => string): SentRows {
  return {
    position() {
      const generation = chatDb.generation();
      const rowId = chatDb.highestRowId();
      return generation === null || rowId === null ? undefined : { generation, rowId };
    },
    after: (rowId) =>
      chatDb.sentRowsAfter(rowId, MOST_ROWS).map((row) => ({
        rowId: row.rowId,
        guid: row.guid,
        conversation: row.conversationKey ?? unjoinedConversation(row, conversationOf),
        text: row.text,
        service: row.service === '' ? null : row.service,
        error: row.error,
      })),
    normalise: normalisedText,
  };
}

/** A row that has no chat yet goes by its handle; an empty one that never gets a chat is the ghost of a failed send. */
function unjoinedConversation(
  row: { handle: string | null; isEmpty: boolean; text: string },
  conversationOf: (address: string) => string,
): string | null {
  if (row.handle === null || row.isEmpty || row.text === '') return null;
  return conversationOf(row.handle);
}
