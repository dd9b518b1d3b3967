import type { forwarding } from '../incoming/forwarding.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { ConversationNames } from '../messages/chatdb/ConversationNames.js';
import { IncomingReader } from '../messages/chatdb/IncomingReader.js';
import { OwnAddresses } from '../messages/chatdb/ownership.js';
import { readFirst } from '../messages/chatdb/ReaderStore.js';
import type { Activity } from '../operator/statusSnapshot.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { ageLimits } from './componentSettings.js';
import type { LiveConfig } from './LiveConfig.js';

interface ReaderOptions {
  chatDb: ChatDb;
  store: Store;
  clock: Clock;
  log: Logger;
  config: Pick<LiveConfig, 'slice'>;
  region: string;
  /** Whether a message that was sent then (Unix ms) is still worth an answer. */
  worthAnswering: (sentAt: number) => boolean;
  incoming: ReturnType<typeof forwarding>;
  activity: Activity;
  names: ConversationNames;
  /** Called for every stored batch of messages. */
  onArrived: () => void;
}

/** Reads what comes in, from everybody but ourselves; each message is noted in the log and the status. */
export function composeReader(room: ReaderOptions): IncomingReader {
  const { chatDb, store, clock, log, config, region, names, worthAnswering, incoming, activity } = room;
  const own = new OwnAddresses(region, [
    config.slice(({ edge }) => [edge.user_phone, ...edge.own_addresses]),
    chatDb.ownAddresses.bind(chatDb),
  ]);
  return new IncomingReader({
    chatDb,
    store,
    clock,
    log,
    worthAnswering,
    region,
    ownAddresses: own.all.bind(own),
    ...readFirst({ chatDb, names, store, clock }),
    windowMs: config.slice((now) => {
      const { maxAgeMs, catchUpMs } = ageLimits(now);
      return Math.max(maxAgeMs, catchUpMs);
    }),
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

/** Whether chat.db can be read, over time; changes are logged. */
export class ChatDbWatch {
  private readAt: number | null = null;
  private lostAt: number;
  private wasReadable: boolean | undefined;

  constructor(
    private readonly chatDb: ChatDb,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.lostAt = clock.now();
  }

  /** Says once when chat.db becomes unreadable and once when it is readable again. */
  look(): void {
    const access = this.chatDb.access();
    if (access.ok === this.wasReadable) return;
    if (!access.ok) {
      this.lostAt = this.clock.now();
      this.log.error(`${access.message} ${access.remedy}`, { code: access.code });
    } else if (this.wasReadable === false) this.log.info('chat.db can be read again');
    this.wasReadable = access.ok;
  }

  /** Looks now. Unix ms: when it was last read (null: not yet), and since when it cannot be read, where it cannot. */
  now(): { chatDbReadAt: number | null; chatDbLostAt: number } {
    this.look();
    if (this.chatDb.highestRowId() !== null) this.readAt = this.clock.now();
    return { chatDbReadAt: this.readAt, chatDbLostAt: this.lostAt };
  }
}
