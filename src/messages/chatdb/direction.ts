import type { ChatRow } from './chatRow.js';
import type { Schema } from './schema.js';

/** Whether a row went out or came in, as far as its columns are sure of it. */
export type Direction = 'out' | 'in' | 'unsettled';

type DirectionColumns = Pick<ChatRow, 'isFromMe' | 'handle' | 'isFinished' | 'isSent'>;

/**
 * Messages writes the row of a text that goes out from here as one that came in, without a handle and unfinished, and sets
 * `is_from_me` in a later update (openclaw/imsg #80, PR #87). A message that came in has a handle, is finished and never `is_sent`.
 * What is neither clearly one nor the other is not settled. `is_delivered` says nothing: messages that came in have it too.
 */
export function directionOf({ isFromMe, handle, isFinished, isSent }: DirectionColumns): Direction {
  if (isFromMe === 1) return 'out';
  return isAnonymous({ handle }) || isFinished === 0 || isSent === 1 ? 'unsettled' : 'in';
}

/** Whether a row names nobody. */
export function isAnonymous({ handle }: Pick<ChatRow, 'handle'>): boolean {
  return handle === null || handle === '';
}

/** The condition of SQL for a message (`m` with its handle `h`) that is `unsettled`; notices and reactions are none. */
export function unsettledDirection(schema: Schema): string {
  const m = (column: string) => schema.column('message', 'm', column);
  return `+m.is_from_me IS NOT 1 AND coalesce(${m('item_type')}, 0) = 0 AND coalesce(${m('associated_message_type')}, 0) = 0
    AND (coalesce(h.id, '') = '' OR +${m('is_finished')} = 0 OR +${m('is_sent')} = 1)`;
}
