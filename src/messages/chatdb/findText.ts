import type { ChatDb } from './ChatDb.js';
import { directionOf } from './direction.js';
import { bodyOf, readableText } from './rowBody.js';

/** Whether rows of a text were found: one that we sent, one that came to us. */
interface FoundText {
  readonly sent: boolean;
  readonly received: boolean;
}

/** Rows above the start that are looked at: what is looked for comes soon, or not at all. */
const MOST_ROWS = 500;

/** Looks above a ROWID for rows with exactly this text, in whatever chat. Neither while chat.db cannot be read. */
export function findText(chatDb: Pick<ChatDb, 'readMessages'>, text: string, afterRow: number): FoundText {
  const reading = chatDb.readMessages((rows) => {
    const found = rows.rowsAfter(afterRow, MOST_ROWS).filter((row) => readableText(bodyOf(row)) === text);
    return {
      sent: found.some((row) => directionOf(row) === 'out'),
      received: found.some((row) => directionOf(row) === 'in'),
    };
  });
  return reading.kind === 'read' ? reading.value : { sent: false, received: false };
}
