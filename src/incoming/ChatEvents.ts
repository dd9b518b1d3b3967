import type { IncomingMessage } from '../model/incoming.js';
import type { NewEvent } from '../store/outbox.js';
import type { Store } from '../store/Store.js';
import { joinAtSeams, seamsAsLineBreaks } from '../system/seams.js';

/** A change in chat.db that is reported as an event. `key` identifies it permanently. */
export interface ChatEvent extends NewEvent {
  key: string;
  threadId: string;
  /** The texts of `details.text`, if it has seams: what is disclosed of it is decided with them in sight. */
  texts?: readonly string[];
}

/** What a person wrote in a conversation of the agent from another device. `sentAt` is ISO 8601. */
export interface OperatorReply {
  guid: string;
  conversation: string;
  text: string;
  sentAt: string;
}

interface ChatEventsOptions {
  store: Store;
  /** What the backend may read of a text that a person wrote. */
  disclose: (text: string) => string;
  /** Whether sending stops in a conversation in which the operator answered. */
  pauseOnOperatorReply: () => boolean;
  /** Inside the write, once for each reply, with its text as it is. */
  onOperatorReply: (reply: OperatorReply) => void;
}

/** What of the details a person wrote. */
const WRITTEN: ReadonlySet<string> = new Set(['text', 'title', 'filename']);

/** Names an edit of a message, by when (Unix ms) it was made. */
export function editKey(guid: string, editedAt: number): string {
  return `edit:${guid}:${editedAt}`;
}

/** Reports to the backend what happened in chat.db besides messages; each change once, however often its row is read. */
export class ChatEvents {
  constructor(private readonly options: ChatEventsOptions) {}

  /** Inside a write. */
  report(happening: ChatEvent): void {
    const { store, disclose } = this.options;
    const { key, eventType, threadId, details, texts } = happening;
    if (!store.emittedEvents.note(key)) return;
    // A row that is read again, long after it was forwarded, looks like one that came too late.
    if (eventType === 'message_filtered' && isStored(store, details.message_guid)) return;
    const shown = disclosed(namingOriginal(details, store), disclose);
    if (texts !== undefined) shown.text = seamsAsLineBreaks(disclose(joinAtSeams(texts)));
    store.events.add({ eventType, threadId, details: shown });
    if (eventType !== 'operator_replied') return;
    this.pauseFor(threadId);
    this.options.onOperatorReply({
      guid: String(details.message_guid),
      conversation: threadId,
      text: String(details.text),
      sentAt: String(details.sent_at),
    });
  }

  /**
   * Inside a write: the edit was in the message already when it was read. The text alone does not show that later: a
   * link that joins the message changes the stored text.
   */
  wasEdited(guid: string, editedAt: number): void {
    this.options.store.emittedEvents.note(editKey(guid, editedAt));
  }

  private pauseFor(conversation: string): void {
    const { store, pauseOnOperatorReply } = this.options;
    if (!pauseOnOperatorReply() || !store.pauses.set(conversation, 'operator')) return;
    store.events.add(pausedEvent(conversation, { reason: 'operator' }));
  }
}

function disclosed(details: object, disclose: (text: string) => string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]: [string, unknown]) => {
      if (typeof value === 'string') return [name, WRITTEN.has(name) ? disclose(value) : value];
      if (!Array.isArray(value)) return [name, value];
      const entries: unknown[] = value;
      return [name, entries.map((entry) => (isObject(entry) ? disclosed(entry, disclose) : entry))];
    }),
  );
}

/** What is about a message names it by the guid that the backend knows, where iCloud wrote it again under another one. */
function namingOriginal(details: Record<string, unknown>, store: Store): Record<string, unknown> {
  const guid = details.message_guid;
  return typeof guid === 'string'
    ? { ...details, message_guid: store.cursor.seen.originalOf(guid) }
    : details;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isStored(store: Store, guid: unknown): boolean {
  return typeof guid === 'string' && store.incoming.find(guid) !== undefined;
}

/** Reports that nothing is sent in a conversation until it is resumed. */
export function pausedEvent(conversation: string, details: Record<string, unknown>): NewEvent {
  return { eventType: 'conversation_paused', threadId: conversation, details };
}

/**
 * Reports that a stored message is no longer posted, because of its age or because it was set aside; like the event of
 * a message that was filtered immediately. `sequence`: its number, if it was posted.
 */
export function givenUpEvent(
  message: IncomingMessage,
  reason: 'expired' | 'set_aside',
  sequence?: number,
): NewEvent {
  const { guid, sender, service, chatGuid, isGroup, sentAt, threadId } = message;
  return {
    eventType: 'message_filtered',
    threadId,
    details: {
      message_guid: guid,
      reason,
      sender,
      service,
      chat_guid: chatGuid,
      is_group: isGroup,
      sent_at: new Date(sentAt).toISOString(),
      ...(sequence === undefined ? {} : { sequence }),
    },
  };
}
