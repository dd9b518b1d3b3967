import { EdgeError } from '../errors.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import { parseThreadId } from '../messages/conversationId.js';

export type ConversationSource = Pick<ChatDb, 'findChat'>;

/** What an operator named: its canonical key, and whether chat.db has it; null if chat.db cannot be read. */
export interface NamedConversation {
  key: string;
  known: boolean | null;
}

/**
 * The conversation that an operator means. Throws EdgeError `conversation_unknown` for what is neither a phone number
 * nor an address nor a group id, unless chat.db has that name: a typo must not pass for a person.
 */
export function namedConversation(
  written: string,
  keyOf: (threadId: string) => string,
  chatDb: ConversationSource,
): NamedConversation {
  const key = keyOf(written);
  const found = chatDb.findChat(key);
  const known = found === undefined ? null : found.length > 0;
  if (parseThreadId(written).kind !== 'unknown' || known === true) return { key, known };
  throw new EdgeError(
    'conversation_unknown',
    `"${written}" is neither a phone number nor an e-mail address nor a group id${known === null ? '' : ', and no conversation in chat.db has that name'}.`,
    'Name it as +13105551234, jane@example.com or chat831045551234.',
  );
}
