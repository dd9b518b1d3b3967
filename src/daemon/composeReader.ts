import type { Config } from '../config/schema.js';
import type { forwarding } from '../incoming/forwarding.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { TiesRead } from '../messages/chatdb/ConversationNames.js';
import { IncomingReader } from '../messages/chatdb/IncomingReader.js';
import { OwnAddresses } from '../messages/chatdb/ownership.js';
import type { Activity } from '../operator/statusSnapshot.js';
import { SEEN_KEPT_DAYS } from '../store/cursor.js';
import type { LedgerGap } from '../store/ledgerGap.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { ageLimits } from './componentSettings.js';

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

const DAY_MS = 86_400_000;
/** A clock may have been behind by so much when a row was written, in ms. */
const BEHIND_MS = DAY_MS;
/** Rows read in one go. */
const PAGE = 1000;

/**
 * What is in chat.db when a gap is found belongs to it: notes how far chat.db reaches, and the outgoing rows that the store does not
 * know. To be called before chat.db is read on. False: there is one to be noted and chat.db cannot be read, so nothing is noted,
 * nothing that may be of the gap goes out, and no row may be read either: it would count as one that the store knows.
 */
export function noteGap(
  store: Store,
  chatDb: Pick<ChatDb, 'generation' | 'highestRowId' | 'rowsOfSendsSince' | 'whole'>,
  clock: Pick<Clock, 'now'>,
): boolean {
  const gap = store.lineage.gap();
  if (gap === undefined || (gap.areRowsNoted && gap.untilRow !== null)) return true;
  const found = chatDb.whole(() => ({
    isSame: gap.generation === chatDb.generation(),
    rowId: chatDb.highestRowId() ?? 0,
    rows: gap.areRowsNoted ? [] : unknownRows(store, chatDb, startOf(gap, clock.now())),
  }));
  if (found === undefined) return false;
  if (gap.areRowsNoted && !found.isSame) return true;
  store.write(() => {
    if (!gap.areRowsNoted) store.lineage.noteGapRows(found.rows);
    if (found.isSame) store.lineage.endGapAt(found.rowId);
  });
  return true;
}

/** From when on (Unix ms) a row of the gap may be dated, and rows that were judged are remembered. */
function startOf({ copiedAt }: LedgerGap, now: number): number {
  return Math.max((copiedAt ?? now) - BEHIND_MS, now - SEEN_KEPT_DAYS * DAY_MS);
}

/** Outgoing rows from then on that are neither judged nor the proof of a text, in the order of their dates. */
function unknownRows(
  store: Store,
  chatDb: Pick<ChatDb, 'rowsOfSendsSince'>,
  from: number,
): { guid: string; sentAt: number | null }[] {
  const read = new Map<string, { guid: string; sentAt: number | null }>();
  for (let since = from; ; ) {
    const page = chatDb.rowsOfSendsSince(since, PAGE).filter(({ guid }) => !read.has(guid));
    for (const { guid, sentAt } of page) read.set(guid, { guid, sentAt });
    const last = page.at(-1)?.sentAt ?? null;
    if (last === null) break;
    since = last;
  }
  return [...read.values()].filter(
    ({ guid }) => !store.cursor.seen.has(guid) && !store.sends.isClaimed(guid),
  );
}

/** Whether chat.db can be read, over time: told in the log whenever that changes. */
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
