import type { IncomingMessage } from '../store/incoming.js';
import type { Store } from '../store/Store.js';
import { editKey, type Happenings } from './Happenings.js';

/** A message that its sender changed or took back, as it stands in chat.db. Times are Unix ms. */
export type MessageChange =
  | { kind: 'edited'; guid: string; text: string; at: number }
  | { kind: 'unsent'; guid: string; at: number | null };

export interface MessageChangesOptions {
  store: Store;
  happenings: Pick<Happenings, 'tell'>;
  settings: () => { edits: boolean; unsends: boolean };
}

/**
 * Takes edits and unsends of messages that were forwarded: each is told once, over restarts too. A message that was never
 * posted yet is posted as it stands now, or not at all; then there is nothing to tell.
 */
export class MessageChanges {
  constructor(private readonly options: MessageChangesOptions) {}

  /** Takes what stands changed; what was taken before changes nothing. False if the disk did not take it. */
  note(changes: readonly MessageChange[]): boolean {
    const { store } = this.options;
    const fresh = changes.filter((change) => !store.told.has(keyOf(change)));
    const known = fresh.flatMap((change) => {
      const message = store.incoming.find(change.guid);
      return message === undefined ? [] : [{ change, message }];
    });
    if (known.length === 0) return true;
    return store.tryWrite(() => {
      for (const { change, message } of known) {
        if (change.kind === 'edited') this.edited(change, message);
        else this.unsent(change, message);
      }
    });
  }

  private edited(change: Extract<MessageChange, { kind: 'edited' }>, message: IncomingMessage): void {
    const { store, happenings, settings } = this.options;
    const { text, at } = change;
    const isUnread = store.incoming.rewrite({ ...message, text });
    if (isUnread || !settings().edits) {
      store.told.note(keyOf(change));
      return;
    }
    happenings.tell({
      key: keyOf(change),
      eventType: 'message_edited',
      threadId: message.conversation,
      details: { ...placeOf(message), text, edited_at: new Date(at).toISOString() },
    });
  }

  private unsent(change: Extract<MessageChange, { kind: 'unsent' }>, message: IncomingMessage): void {
    const { store, happenings, settings } = this.options;
    const isUnread = store.incoming.withdraw(change.guid);
    if (isUnread || !settings().unsends) {
      store.told.note(keyOf(change));
      return;
    }
    happenings.tell({
      key: keyOf(change),
      eventType: 'message_unsent',
      threadId: message.conversation,
      details: {
        ...placeOf(message),
        unsent_at: change.at === null ? null : new Date(change.at).toISOString(),
      },
    });
  }
}

function keyOf(change: MessageChange): string {
  return change.kind === 'edited' ? editKey(change.guid, change.at) : `unsent:${change.guid}`;
}

function placeOf(message: IncomingMessage): Record<string, unknown> {
  const { guid, sender, chatGuid, isGroup } = message;
  return { message_guid: guid, sender, chat_guid: chatGuid, is_group: isGroup };
}
