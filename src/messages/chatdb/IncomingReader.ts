import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { maskHandle } from '../../logging/mask.js';
import type { IncomingMessage } from '../../store/incomingRecord.js';
import type { Clock, Timer } from '../../system/clock.js';
import type { Reading } from './ChatDbConnection.js';
import { type ForwardRules, MESSAGES_ALONE } from './forwardRules.js';
import { type Gathered, type Judged, judge, type PendingRow } from './incomingBatch.js';
import { lookForRows } from './lookForRows.js';
import { OwnTraffic } from './OwnTraffic.js';
import type { Anchor, ReadingPosition } from './readingPosition.js';
import type { RowEvent } from './rowEvents.js';
import type { MessageRows } from './rows.js';
import type { LeftOutReason } from './verdict.js';

/** Where the reader keeps its place and where messages go: one `write` takes all of it, durably, or nothing. */
export interface ReaderStore {
  write<T>(work: () => T): T;
  /** False if a message with this guid is known already. */
  readonly incoming: {
    add(message: IncomingMessage): boolean;
    /** The guids of the messages added last, the newest first. */
    newestGuids(limit: number): readonly string[];
  };
  readonly cursor: {
    get(): ReadingPosition | undefined;
    set(position: ReadingPosition): void;
    pending(): PendingRow[];
    setPending(rows: readonly PendingRow[]): void;
  };
}

/** What is done with rows that are no messages. */
export interface RowForwarding {
  /** Read at each look. */
  rules(): ForwardRules;
  /** Inside the write that passes the row: it tells the backend this, unless it did before. */
  tell(event: RowEvent): void;
  /** Inside the write that stores the message: it had been changed then (Unix ms) when it was read. */
  wasEdited(guid: string, editedAt: number): void;
  /** Inside a write: a link belongs to the message with the guid `to`; false if that is not known. */
  joinLink(link: IncomingMessage, to: string): boolean;
}

export interface IncomingReaderOptions {
  chatDb: {
    readMessages<T>(work: (rows: MessageRows, generation: string) => T): Reading<T>;
    reopen(): void;
  };
  store: ReaderStore;
  clock: Clock;
  log: Logger;
  region: () => string;
  /** Our own addresses, canonical: what comes from them is not forwarded. */
  ownAddresses: () => ReadonlySet<string>;
  /** Whether a message sent then (Unix ms) is still worth an answer. */
  worthAnswering: (sentAt: number) => boolean;
  /** What else becomes known, and what is kept from the backend. Left out: messages of everybody and nothing else. */
  forwarding?: RowForwarding;
  /** Called after the commit with the messages that are new, in the order of their rows. */
  /** Called before rows are read. What it throws counts as a failure of the scan. */
  beforeScan?: () => void;
  onMessages: (messages: readonly IncomingMessage[]) => void;
}

/** After so many ms of catching up, other work gets its turn. */
const SLICE_MS = 25;
/** A locked chat.db is looked at again after this. */
const BUSY_RETRY_MS = 200;
/** A batch that the store did not take (disk full) is tried again after this. */
const STORE_RETRY_MS = 1000;
/** What fails so often in a row is told as a fault: it does not go by itself. */
const FAILURES_BEFORE_FAULT = 3;
/** In a chat.db that lacks the last row, so many of the messages before it are looked for. */
const KNOWN_ROWS = 200;

/**
 * Brings new rows of chat.db into the store. Each batch is one durable commit of its messages, the cursor and
 * the set of rows that are not complete yet: a crash at any point loses no message and, by the guid, stores
 * none twice. The cursor passes an incomplete row only as a member of that set.
 */
export class IncomingReader {
  private readonly reasons = new Map<LeftOutReason, number>();
  private damaged = 0;
  private timer: Timer | undefined;
  private scanning = false;
  private readonly failures = { count: 0, since: 0, error: '' };
  private stopped = false;
  private readonly own: OwnTraffic;

  constructor(private readonly options: IncomingReaderOptions) {
    this.own = new OwnTraffic(options.region);
  }

  /**
   * Looks for new rows and for what waiting rows lacked. Synchronous; to be called whenever chat.db may have
   * changed. It comes back by itself when a waiting row falls due or there is more to catch up with. Neither
   * chat.db nor the store can make it throw: what could not be done is tried again.
   */
  scan(): void {
    if (this.scanning || this.stopped) return;
    this.scanning = true;
    this.timer?.cancel();
    try {
      this.options.beforeScan?.();
      const next = this.scanSlice();
      this.failures.count = 0;
      this.timer = next === undefined ? undefined : this.options.clock.after(next, () => this.scan());
    } catch (error) {
      this.failed(describeError(error));
      this.timer = this.options.clock.after(STORE_RETRY_MS, () => this.scan());
    } finally {
      this.scanning = false;
    }
  }

  /** Why nothing that is new has been taken in for some time, and since when (Unix ms). */
  fault(): { since: number; error: string } | undefined {
    const { count, since, error } = this.failures;
    return count < FAILURES_BEFORE_FAULT ? undefined : { since, error };
  }

  /** How many rows were left out since the start, by reason. */
  leftOut(): Readonly<Partial<Record<LeftOutReason, number>>> {
    return Object.fromEntries(this.reasons);
  }

  /** How many messages since the start had a damaged attributedBody whose text the fallback read. */
  damagedBodies(): number {
    return this.damaged;
  }

  /** No scan and no timer after this. Idempotent. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private failed(error: string): void {
    const { clock, log } = this.options;
    if (this.failures.count === 0) {
      this.failures.since = clock.now();
      log.warn('Incoming messages could not be taken in; trying again', { error });
    }
    this.failures.count++;
    this.failures.error = error;
  }

  /** Ms until the next scan is needed, whatever happens to chat.db; undefined if none is. */
  private scanSlice(): number | undefined {
    const { chatDb, clock, store } = this.options;
    const began = clock.monotonic();
    const rules = this.options.forwarding?.rules() ?? MESSAGES_ALONE;
    const beside = { asksAcquaintance: rules.asksAcquaintance, own: this.own };
    const newestKnown = () => store.incoming.newestGuids(KNOWN_ROWS);
    while (!this.stopped) {
      const known = store.cursor.get();
      const pending = store.cursor.pending();
      const reading = chatDb.readMessages((rows, generation) =>
        lookForRows({ known, pending, newestKnown, beside }, rows, generation),
      );
      if (reading.kind === 'busy') return BUSY_RETRY_MS;
      if (reading.kind === 'closed') return undefined;
      const { anchored, gathered } = reading.value;
      if (anchored.kind !== 'same') {
        this.moveTo(anchored, known, pending);
        continue;
      }
      const judged = this.judge(gathered, pending, rules);
      this.store(anchored.position, gathered, pending, judged);
      if (!gathered.full)
        return judged.dueAt === undefined ? undefined : Math.max(judged.dueAt - clock.now(), 1);
      if (clock.monotonic() - began >= SLICE_MS) return 0;
    }
    return undefined;
  }

  private judge(gathered: Gathered, pending: readonly PendingRow[], rules: ForwardRules): Judged {
    const { region, ownAddresses, worthAnswering, clock } = this.options;
    return judge(gathered, pending, {
      region: region(),
      ownAddresses: this.own.with(ownAddresses()),
      worthAnswering,
      hasEchoed: (address) => this.own.hasEchoed(address),
      onlyEchoes: (address) => this.own.onlyEchoes(address),
      rules,
      now: clock.now(),
    });
  }

  private store(
    from: ReadingPosition,
    gathered: Gathered,
    pending: readonly PendingRow[],
    judged: Judged,
  ): void {
    const { store, log, forwarding } = this.options;
    const moved = gathered.position.rowId !== from.rowId;
    const waitsAnew =
      judged.pending.length !== pending.length ||
      judged.pending.some(({ rowId, firstSeenAt, completeAt }, index) => {
        const before = pending[index];
        return (
          rowId !== before?.rowId || firstSeenAt !== before.firstSeenAt || completeAt !== before.completeAt
        );
      });
    if (!moved && !waitsAnew && judged.messages.length + judged.links.length + judged.events.length === 0)
      return;
    const fresh = store.write(() => {
      const added = judged.messages.filter((message) => store.incoming.add(message));
      for (const { message, to } of judged.links)
        if (forwarding?.joinLink(message, to) !== true && store.incoming.add(message)) added.push(message);
      for (const { guid, editedAt } of judged.edited) forwarding?.wasEdited(guid, editedAt);
      for (const event of judged.events) forwarding?.tell(event);
      if (moved) store.cursor.set(gathered.position);
      if (waitsAnew) store.cursor.setPending(judged.pending);
      return added;
    });
    this.damaged += judged.damagedBodies;
    for (const { rowId, reason, fault } of judged.leftOut) {
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
      if (fault === undefined) log.debug('Left out a row of chat.db', { rowId, reason });
      else log.error('A row of chat.db is like none we know', { rowId, reason, cause: describeError(fault) });
    }
    for (const voice of judged.voices) {
      const change = this.own.heard(voice);
      if (change !== undefined) log.warn(change, { from: maskHandle(voice.address) });
    }
    if (fresh.length > 0) this.announce(fresh);
  }

  /** The messages are stored: a fault in what listens must not stop the reading. */
  private announce(messages: readonly IncomingMessage[]): void {
    try {
      this.options.onMessages(messages);
    } catch (error) {
      this.options.log.error('A listener for incoming messages failed', { error: describeError(error) });
    }
  }

  private moveTo(anchored: Anchor, known: ReadingPosition | undefined, pending: readonly PendingRow[]): void {
    const { store, chatDb, log } = this.options;
    store.write(() => {
      store.cursor.set(anchored.position);
      if (!anchored.keepsPending && pending.length > 0) store.cursor.setPending([]);
    });
    const fields = { rowId: anchored.position.rowId, before: known?.rowId };
    if (anchored.kind === 'first') log.info('Reading chat.db from its newest row on', fields);
    else if (anchored.kind === 'found')
      log.info('chat.db is another file; reading on behind the last known row', fields);
    else
      log.warn(
        'chat.db is another database without the last known row; reading from its newest row on',
        fields,
      );
    // The same file with ROWIDs given out anew: its schema may be another too.
    if (known?.generation === anchored.position.generation) chatDb.reopen();
  }
}
