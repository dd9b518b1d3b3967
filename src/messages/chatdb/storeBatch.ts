import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { IncomingMessage } from '../../model/incoming.js';
import { diskFault } from '../../store/diskFault.js';
import type { Judged } from './incomingBatch.js';
import type { ReaderStore, RowForwarding } from './ports.js';

interface BatchPlace {
  store: ReaderStore;
  forwarding: RowForwarding | undefined;
  log: Logger;
}

/**
 * Stores what a batch is, and `advance` with it, in one write; returns the messages that are new. `isOneByOne`, where that fails
 * again and again for no fault of the disk: each item has a write of its own, so that one that cannot be taken costs only itself: it is set
 * aside, and the others are taken. A crash in between reads them again, and the guid stores none twice.
 */
export function storeBatch(
  { store, forwarding, log }: BatchPlace,
  judged: Judged,
  advance: () => void,
  isOneByOne: boolean,
): IncomingMessage[] {
  const { seen } = store.cursor;
  const fresh: IncomingMessage[] = [];
  const add = (message: IncomingMessage) => {
    if (store.incoming.add(message)) fresh.push(message);
  };
  const items = [
    ...judged.messages.map((message) => ({
      key: message.guid,
      take: () => add(answeringOriginals(message, store)),
    })),
    ...judged.links.map(({ message, to }) => ({
      key: message.guid,
      take: () => {
        if (forwarding?.joinLink(message, seen.originalOf(to)) !== true) add(message);
      },
    })),
    ...judged.edited.map(({ guid, editedAt }) => ({
      key: guid,
      take: () => forwarding?.wasEdited(guid, editedAt),
    })),
    ...judged.events.map((event) => ({ key: event.key, take: () => forwarding?.tell(event) })),
  ];
  const unreadable = judged.skipped.filter(({ fault }) => fault !== undefined);
  const conclude = () => {
    for (const { guid = '', fault } of unreadable) setAside(store, guid, fault);
    advance();
  };
  if (!isOneByOne) {
    store.write(() => {
      for (const row of judged.seen) seen.add(row);
      for (const { take } of items) take();
      conclude();
    });
    return fresh;
  }
  for (const { key, take } of items) {
    const before = fresh.length;
    try {
      store.write(take);
    } catch (error) {
      if (diskFault(error) !== undefined) throw error;
      fresh.length = before;
      log.error('A row of chat.db cannot be processed; set aside', { cause: describeError(error) });
      store.write(() => setAside(store, key, error));
    }
  }
  // What is noted as seen is not read again, so it comes last.
  store.write(() => {
    for (const row of judged.seen) seen.add(row);
    conclude();
  });
  return fresh;
}

/** Names the message that it answers by the guid that the backend knows. */
function answeringOriginals(message: IncomingMessage, { cursor }: ReaderStore): IncomingMessage {
  const { replyToGuid } = message;
  return replyToGuid === null ? message : { ...message, replyToGuid: cursor.seen.originalOf(replyToGuid) };
}

/** Inside a write. */
function setAside(store: ReaderStore, key: string, fault: unknown): void {
  store.setAside?.note('row', key, describeError(fault));
}
