import type { Conversation } from '../../monitor-client/index.js';
import { personName } from '../personName.js';

/** Who a conversation is with: masked, unless handles are to be shown. */
export function shownName({ conversation, name }: Conversation, reveals: boolean): string {
  return personName(reveals ? conversation : name);
}
