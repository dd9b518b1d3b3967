import type { Conversation } from '../../monitor-client/index.js';
import { titled } from '../people.js';

/** Who a conversation is with: by name where one is known, else masked; with the whole number if handles are to be shown. */
export function shownName({ conversation, name }: Conversation, reveals: boolean): string {
  return titled({ name, conversation: reveals ? conversation : name }, reveals);
}
