import type { Config } from '../config/schema.js';
import type { forwarding } from '../incoming/forwarding.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { TiesRead } from '../messages/chatdb/ConversationNames.js';
import { IncomingReader } from '../messages/chatdb/IncomingReader.js';
import { OwnAddresses } from '../messages/chatdb/ownership.js';
import type { Activity } from '../operator/statusSnapshot.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { ageLimits } from './componentSettings.js';
import { noteGap } from './gapRows.js';

interface ReaderOptions {
  chatDb: ChatDb;
  store: Store;
  clock: Clock;
  log: Logger;
  config: () => Config;
  region: string;
  /** Whether a message that was sent then (Unix ms) is still worth an answer. */
  worthAnswering: (sentAt: number) => boolean;
  incoming: ReturnType<typeof forwarding>;
  activity: Activity;
  /** Notes what chat.db says of groups that go by several identifiers. */
  readTies: () => TiesRead;
  /** Told of every batch of messages that was stored. */
  onArrived: () => void;
}

/** Reads what comes in, from everybody but ourselves; each message is noted in the log and the status. */
export function composeReader(room: ReaderOptions): IncomingReader {
  const { chatDb, store, clock, log, config, region, worthAnswering, incoming, activity } = room;
  const phone = config().edge.user_phone;
  const own = new OwnAddresses(
    () => region,
    [() => [phone, ...config().edge.own_addresses], () => chatDb.ownAddresses()],
  );
  return new IncomingReader({
    chatDb,
    store,
    clock,
    log,
    worthAnswering,
    region: () => region,
    ownAddresses: () => own.all(),
    // A read that chat.db refuses for itself alone must hold back the rows that are judged by what it would have found.
    beforeScan: () =>
      chatDb.whole(() => room.readTies() !== 'unstored' && noteGap(store, chatDb, clock)) ?? false,
    keysHold: () => chatDb.whole(() => room.readTies() === 'known') ?? false,
    windowMs() {
      const { maxAgeMs, catchUpMs } = ageLimits(config());
      return Math.max(maxAgeMs, catchUpMs);
    },
    forwarding: incoming.rows,
    onMessages(messages) {
      activity.incomingAt = clock.now();
      room.onArrived();
      for (const { guid, sender: from, isGroup } of messages) {
        log.info('Received a message', { trace: guid, from: maskHandle(from), group: isGroup });
      }
    },
  });
}
