import type { NewEvent } from '../store/events.js';
import type { Store } from '../store/Store.js';

/** Something in chat.db that is told as an event. `key` names it for good. */
export interface Happening extends NewEvent {
  key: string;
  threadId: string;
}

export interface HappeningsOptions {
  store: Store;
  /** What the backend may read of a text that a person wrote. */
  disclose: (text: string) => string;
  /** Whether nothing more goes out in a conversation in which a person answered. */
  pauseOnOperatorReply: () => boolean;
}

/** What of the details a person wrote. */
const WRITTEN = ['text', 'title'] as const;

/** Names an edit of a message, by when (Unix ms) it was made. */
export function editKey(guid: string, editedAt: number): string {
  return `edit:${guid}:${editedAt}`;
}

/** Tells the backend what happened in chat.db beside messages; each thing once, however often its row is read. */
export class Happenings {
  constructor(private readonly options: HappeningsOptions) {}

  /** Inside a write. */
  tell(happening: Happening): void {
    const { store, disclose } = this.options;
    const { key, eventType, threadId, details } = happening;
    if (!store.told.note(key)) return;
    const written = WRITTEN.flatMap((name) => {
      const text = details[name];
      return typeof text === 'string' ? [[name, disclose(text)]] : [];
    });
    store.events.add({ eventType, threadId, details: { ...details, ...Object.fromEntries(written) } });
    if (eventType === 'operator_replied') this.pauseFor(threadId);
  }

  /** Inside a write: the edit was in the message already when it was read. */
  wasEdited(guid: string, editedAt: number): void {
    this.options.store.told.note(editKey(guid, editedAt));
  }

  private pauseFor(conversation: string): void {
    const { store, pauseOnOperatorReply } = this.options;
    if (!pauseOnOperatorReply() || !store.pauses.set(conversation, 'operator')) return;
    store.events.add(pausedEvent(conversation, { reason: 'operator' }));
  }
}

/** Tells that nothing goes out in a conversation until it is resumed. */
export function pausedEvent(conversation: string, details: Record<string, unknown>): NewEvent {
  return { eventType: 'conversation_paused', threadId: conversation, details };
}
