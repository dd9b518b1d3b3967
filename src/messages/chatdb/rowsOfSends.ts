import type { SentRow, SentRows } from '../../model/sending.js';
import type { ChatDb } from './ChatDb.js';
import { normalisedText } from './rowBody.js';
import type { ChatDbSentRow as ChatRow } from './sentRows.js';

/** Rows looked at in one go; outgoing rows after an attempt are few. */
const MOST_ROWS = 1000;

/** chat.db for the outgoing room: the rows that prove what was sent, and what became of it. */
export function sentRows(
  chatDb: ChatDb,
  conversationOf: (address: string) => string,
  /** When ROWIDs were last found given out anew (Unix ms). */
  movedAt: () => number | null = () => null,
): SentRows {
  const read = (row: ChatRow): SentRow => {
    const byHandle = row.handle === null ? null : conversationOf(row.handle);
    const isEmpty = row.isEmpty || row.text === '';
    return {
      rowId: row.rowId,
      guid: row.guid,
      sentAt: row.sentAt,
      conversation: row.conversationKey ?? (isEmpty ? null : byHandle),
      text: row.text,
      service: row.service === '' ? null : row.service,
      error: row.error,
      isSent: row.isSent,
      isDelivered: row.isDelivered,
      isRead: row.isRead,
      wasDowngraded: row.wasDowngraded,
      ...(row.isUndecided === true ? { isUndecided: true } : {}),
      ghostOf: isEmpty && !row.joined && row.isUndecided !== true ? byHandle : null,
    };
  };
  return {
    position() {
      const generation = chatDb.generation();
      const rowId = chatDb.highestRowId();
      return generation === null || rowId === null ? undefined : { generation, rowId, movedAt: movedAt() };
    },
    filesOf(rowId) {
      const reading = chatDb.readMessages((rows) => rows.attachments(rowId));
      if (reading.kind !== 'read') return [];
      return reading.value.map(({ filename, path, sizeBytes }) => ({
        name: filename ?? path?.split('/').at(-1) ?? null,
        sizeBytes,
      }));
    },
    after: (rowId) => chatDb.rowsOfSendsAfter(rowId, MOST_ROWS).map(read),
    since: (sentAt) => chatDb.rowsOfSendsSince(sentAt, MOST_ROWS).map(read),
    rowIdOf(guid) {
      const reading = chatDb.readMessages((rows) => rows.rowIdOf(guid));
      return reading.kind === 'read' ? reading.value : undefined;
    },
    find(guid) {
      const row = chatDb.sentRow(guid);
      return row === undefined ? undefined : read(row);
    },
    statesOf: (guids) => chatDb.sentStates(guids),
    whole: (reads) => chatDb.whole(reads),
    normalise: normalisedText,
  };
}
