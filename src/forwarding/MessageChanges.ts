import type { IncomingMessage } from '../store/incoming.js';
import type { Store } from '../store/Store.js';
import { editKey, type Happenings } from './Happenings.js';

/**
 * A message that its sender changed or took back, or an audio message that a device wrote down (`said`, by the guid of the
 * file), as it stands in chat.db. Times are Unix ms.
 */
export type MessageChange =
  | { kind: 'edited'; guid: string; text: string; at: number }
  | { kind: 'unsent'; guid: string; at: number | null }
  | { kind: 'transcribed'; guid: string; said: ReadonlyMap<string, string> };

export interface MessageChangesOptions {
  store: Store;
  happenings: Pick<Happenings, 'tell'>;
  settings: () => { edits: boolean; unsends: boolean; transcriptions: boolean };
}

/**
 * Takes edits, unsends and transcriptions of messages that were forwarded: each is told once, over restarts too. A message
 * that was never posted yet is posted as it stands now, or not at all; then there is nothing to tell.
 */
export class MessageChanges {
  constructor(private readonly options: MessageChangesOptions) {}

  /** Takes what stands changed; what was taken before changes nothing. False if the disk did not take it. */
  note(changes: readonly MessageChange[]): boolean {
    const { store } = this.options;
    const fresh = changes.filter((change) => !store.told.has(keyOf(change)));
    const known = fresh.flatMap((change) => {
      const message = store.incoming.find(change.guid);
      return message === undefined || isKnown(change, message) ? [] : [{ change, message }];
    });
    if (known.length === 0) return true;
    return store.tryWrite(() => {
      for (const { change, message } of known) {
        if (change.kind === 'edited') this.edited(change, message);
        else if (change.kind === 'unsent') this.unsent(change, message);
        else this.transcribed(change, message);
      }
    });
  }

  private edited(change: Extract<MessageChange, { kind: 'edited' }>, message: IncomingMessage): void {
    const { store, happenings, settings } = this.options;
    const { text, at } = change;
    store.uploads.rewrite(message.guid, text);
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
    // Its images, of a message that was posted too: nobody is to see them now.
    store.uploads.withdraw(message.guid);
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

  private transcribed(
    change: Extract<MessageChange, { kind: 'transcribed' }>,
    message: IncomingMessage,
  ): void {
    const { store, happenings, settings } = this.options;
    const isUnread = store.incoming.rewrite(withTranscriptions(message, change.said));
    if (isUnread || !settings().transcriptions) {
      store.told.note(keyOf(change));
      return;
    }
    happenings.tell({
      key: keyOf(change),
      eventType: 'message_transcribed',
      threadId: message.conversation,
      details: {
        ...placeOf(message),
        text: [...change.said.values()].join('\n'),
        attachment_guids: [...change.said.keys()],
      },
    });
  }
}

function keyOf(change: MessageChange): string {
  return change.kind === 'edited' ? editKey(change.guid, change.at) : `${change.kind}:${change.guid}`;
}

/** Whether the message was stored with what was said already. */
function isKnown(change: MessageChange, message: IncomingMessage): boolean {
  return (
    change.kind === 'transcribed' && message.attachments.some((file) => file.transcription !== undefined)
  );
}

function withTranscriptions(message: IncomingMessage, said: ReadonlyMap<string, string>): IncomingMessage {
  const attachments = message.attachments.map((file) => {
    const transcription = said.get(file.guid);
    return transcription === undefined ? file : { ...file, transcription };
  });
  return { ...message, attachments };
}

function placeOf(message: IncomingMessage): Record<string, unknown> {
  const { guid, sender, chatGuid, isGroup } = message;
  return { message_guid: guid, sender, chat_guid: chatGuid, is_group: isGroup };
}
