import type { ChatDb } from './ChatDb.js';
import { type Direction, directionOf, isAnonymous } from './ownership.js';

/** The fields of a row that show whether it was sent, for a report without texts and addresses. */
export interface SeenState {
  readonly direction: Direction;
  readonly isFromMe: boolean;
  readonly hasHandle: boolean;
  readonly isFinished: boolean;
  readonly hasChat: boolean;
  readonly hasText: boolean;
}

const MOST_ROWS = 50;

/** How the rows above a ROWID stand now; none while chat.db cannot be read. */
export function statesAfter(
  chatDb: Pick<ChatDb, 'readMessages'>,
  rowId: number,
): readonly (SeenState & { guid: string })[] {
  const reading = chatDb.readMessages((rows) => rows.rowsAfter(rowId, MOST_ROWS));
  if (reading.kind !== 'read') return [];
  return reading.value.map((row) => ({
    guid: row.guid,
    direction: directionOf(row),
    isFromMe: row.isFromMe === 1,
    hasHandle: !isAnonymous(row),
    isFinished: row.isFinished !== 0,
    hasChat: row.chatRowId !== null,
    hasText: (row.text ?? '') !== '' || row.attributedBody !== null,
  }));
}

/** A state in the words of chat.db. */
export function wordsOf({ isFromMe, hasHandle, isFinished, hasChat, hasText }: SeenState): string {
  const lacking = [
    hasHandle ? '' : ', no handle',
    hasChat ? '' : ', no chat',
    hasText ? '' : ', no text',
  ].join('');
  return `is_from_me ${isFromMe ? 1 : 0}, is_finished ${isFinished ? 1 : 0}${lacking}`;
}
