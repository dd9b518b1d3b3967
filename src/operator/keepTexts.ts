import { basename } from 'node:path';
import { EdgeError } from '../errors.js';
import type { OperatorReply } from '../incoming/ChatEvents.js';
import type { ChatMessage } from '../model/monitorFrames.js';
import type { TextsSince } from '../model/operatorApi.js';
import type { Outgoing } from '../outgoing/Outgoing.js';
import type { Store } from '../store/Store.js';
import type { JournalText } from '../store/textJournal.js';
import type { Clock } from '../system/clock.js';
import { OPERATOR } from './OperatorTexts.js';

/** Stores every received and sent text for monitor clients, in the same write, even without clients. */
export function keepTexts(from: {
  outgoing: Pick<Outgoing, 'onOutcome'>;
  incoming: { onOperatorReply: (listener: (reply: OperatorReply) => void) => void };
  store: Pick<Store, 'incoming' | 'textJournal'>;
  clock: Pick<Clock, 'now'>;
}): void {
  const { outgoing, incoming, store, clock } = from;
  store.incoming.onInsert(({ conversation, guid, text, sender, sentAt }) =>
    store.textJournal.add({ conversation, messageId: guid, text, sender, saidAt: sentAt }),
  );
  incoming.onOperatorReply(({ conversation, guid, text, sentAt }) => {
    const writtenAt = Date.parse(sentAt);
    // A row without a date counts as written just now.
    const saidAt = Number.isNaN(writtenAt) ? clock.now() : writtenAt;
    store.textJournal.add({ conversation, messageId: guid, text, sender: OPERATOR, saidAt });
  });
  outgoing.onOutcome((send, outcome) => {
    if (outcome.kind !== 'sent') return;
    store.textJournal.add({
      conversation: send.conversation,
      messageId: outcome.guid ?? send.id,
      text: send.file === null ? send.text : basename(send.file),
      sender: null,
      saidAt: clock.now(),
    });
  });
}

/** What was said since, page by page. Throws EdgeError `invalid_payload` for what is no cursor. */
export function textsSince(
  { textJournal }: Pick<Store, 'textJournal'>,
  agentName: string,
  cursor: unknown,
): TextsSince {
  if (cursor === undefined) return { texts: [], cursor: textJournal.newest(), gap: null };
  const page = typeof cursor === 'string' ? textJournal.after(cursor) : undefined;
  if (page === undefined) {
    const why = 'cursor: expected one of a chat_message, or 0 for all texts that are kept.';
    throw new EdgeError('invalid_payload', why, 'Leave it out to get the cursor of now.');
  }
  return { ...page, texts: page.texts.map((text) => chatMessage(text, agentName)) };
}

/** A kept text as a frame has it. */
export function chatMessage(
  { conversation, messageId, text, sender, saidAt, cursor }: JournalText,
  agentName: string,
): ChatMessage & { cursor: string } {
  return {
    conversationId: conversation,
    messageId,
    content: text,
    sender: sender ?? agentName,
    timestamp: new Date(saidAt).toISOString(),
    cursor,
  };
}
