import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { maskHandle } from '../../logging/mask.js';
import type { IncomingMessage } from '../../model/incoming.js';
import { CLOCK_BEHIND_MS, LONGEST_LOOK_MS, type ReadingState, readsFrom } from '../../store/cursor.js';
import { diskFault } from '../../store/diskFault.js';
import type { SharedEnd, SharedWrite } from '../../store/SharedWrites.js';
import type { SeenRow } from '../../store/seenRows.js';
import type { SetAsideTable } from '../../store/setAside.js';
import type { Clock, Timer } from '../../system/clock.js';
import { SteadyTime } from '../../system/SteadyTime.js';
import { lookForRows, SEEDS, type Seed } from './ChatDb.js';
import type { Reading } from './ChatDbConnection.js';
import { DateLook, type DatePage, LOOK_AGAIN_MS } from './DateLook.js';
import { type ForwardRules, MESSAGES_ALONE } from './forwardRules.js';
import { type Attempt, type Gathered, type Judged, judge, type PendingRow } from './incomingBatch.js';
import type { RowEvent, SkipReason } from './judgeRow.js';
import { OwnTraffic } from './OwnTraffic.js';
import type { Anchor, ReadingPosition } from './readingPosition.js';
import { identityOf, REMEMBERED_MS, seenRow } from './rowIdentity.js';
import type { MessageRows, RowPosition } from './rows.js';

/** Where the reader keeps its place and where messages go: one `write` takes all of it, durably, or nothing. */
export interface ReaderStore {
  write<T>(work: () => T): T;
  /** A write that may be one commit with what else a look finds. */
  share(write: SharedWrite): void;
  /** What was shared up to now is stored. */
  commitShared(): void;
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
    reading(): ReadingState | undefined;
    setReading(state: ReadingState): void;
    readonly seen: {
      add(row: SeenRow): void;
      has(guid: string): boolean;
      like(key: string, conversation: string): readonly SeenRow[];
      originalOf(guid: string): string;
    };
  };
  /** Rows that cannot be worked on (see setAside.ts). */
  readonly setAside?: Pick<SetAsideTable, 'attempt' | 'note'>;
}

/** What is done with rows that are no messages. */
interface RowForwarding {
  /** Read at each look. */
  rules(): ForwardRules;
  /** Inside the write that passes the row: it tells the backend this, unless it did before. */
  tell(event: RowEvent): void;
  /** Inside the write that stores the message: it had been changed then (Unix ms) when it was read. */
  wasEdited(guid: string, editedAt: number): void;
  /** Inside a write: a link belongs to the message with the guid `to`; false if that is not known. */
  joinLink(link: IncomingMessage, to: string): boolean;
}

interface IncomingReaderOptions {
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
  /** How old a message may be that is worth an answer in any case, ms; a day if left out. */
  windowMs?: () => number;
  /** What else becomes known, and what is kept from the backend. Left out: messages of everybody and nothing else. */
  forwarding?: RowForwarding;
  /** Called before rows are read: whether that may be now; false: it is asked again soon. What it throws counts as a failure of the scan. */
  beforeScan?: () => boolean;
  /**
   * Called when rows were read: whether their conversations' keys hold. False: Messages tied groups between `beforeScan` and these rows,
   * so they are read again.
   */
  keysHold?: () => boolean;
  /** Called after the commit with the messages that are new, in the order of their rows. */
  onMessages: (messages: readonly IncomingMessage[]) => void;
}

/** Until when a waiting row is not judged again; of few that wait, only a large one rests. */
interface Rest {
  until: number;
  isLarge: boolean;
}

/** After so many ms of catching up, other work gets its turn. */
const SLICE_MS = 25;
/** A locked chat.db is looked at again after this. */
const BUSY_RETRY_MS = 200;
/** A batch that the store did not take (disk full) is tried again after this. */
const STORE_RETRY_MS = 1000;
/** What fails so often in a row is told as a fault: it does not go by itself. */
const FAILURES_BEFORE_FAULT = 3;
const DAY_MS = 86_400_000;
/** So many of the rows read last tell whether ROWIDs were given out anew. */
const SAMPLES = 8;
/** Up to so many waiting rows are judged at each look: they cost next to nothing, and what completes one is seen at once. */
const FEW_WAITING = 20;
const ENDED: Rest = { until: Number.NEGATIVE_INFINITY, isLarge: false };
/** In a chat.db that lacks the last row, so many of the messages before it are looked for. */
const KNOWN_ROWS = 200;

/**
 * Brings new rows of chat.db into the store. Each batch is one durable commit of its messages, the cursor and
 * the set of rows that are not complete yet: a crash at any point loses no message and, by the guid, stores
 * none twice. The cursor passes an incomplete row only as a member of that set.
 */
export class IncomingReader {
  private readonly reasons = new Map<SkipReason, number>();
  private damaged = 0;
  private timer: Timer | undefined;
  private scanning = false;
  private readonly failures = { count: 0, since: 0, error: '' };
  private stopped = false;
  /** Until when waiting rows are not judged again (ms of the clock that nobody sets), by ROWID. After a start each of them is. */
  private rests = new Map<number, Rest>();
  private readonly own: OwnTraffic;
  private readonly dates: DateLook;
  private readonly steady: SteadyTime;

  constructor(private readonly options: IncomingReaderOptions) {
    this.steady = new SteadyTime(options.clock);
    this.own = new OwnTraffic(options.region);
    this.dates = new DateLook(options.clock, options.windowMs ?? (() => DAY_MS));
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
      const next = this.options.beforeScan?.() === false ? BUSY_RETRY_MS : this.scanSlice();
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
  skipped(): Readonly<Partial<Record<SkipReason, number>>> {
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
      log.warn('Incoming messages could not be stored; will retry', { error });
    }
    this.failures.count++;
    this.failures.error = error;
  }

  /** Ms until the next scan is needed, whatever happens to chat.db; undefined if none is. */
  private scanSlice(): number | undefined {
    const { chatDb, clock, store } = this.options;
    const began = clock.monotonic();
    store.commitShared();
    const rules = this.options.forwarding?.rules() ?? MESSAGES_ALONE;
    const beside = { asksAcquaintance: rules.asksAcquaintance, own: this.own, attempt: this.attempt };
    const newestKnown = () => store.incoming.newestGuids(KNOWN_ROWS);
    while (!this.stopped) {
      const known = store.cursor.get();
      const pending = store.cursor.pending();
      const state = this.stateNow();
      const byDate =
        state !== undefined && this.dates.isDue(state)
          ? {
              look: this.dates,
              state: { ...state, since: this.oldest(state) },
              isSeen: (guid: string) => store.cursor.seen.has(guid),
            }
          : undefined;
      const samples = state?.samples ?? [];
      const needsSeeds = state?.seeded !== true;
      const resting = this.resting(pending);
      const reading = chatDb.readMessages((rows, generation) =>
        lookForRows(
          { known, pending, newestKnown, beside: { ...beside, resting }, samples, needsSeeds, byDate },
          rows,
          generation,
        ),
      );
      if (reading.kind === 'busy') return BUSY_RETRY_MS;
      if (reading.kind === 'closed') return undefined;
      if (this.options.keysHold?.() === false) return 0;
      const { anchored, gathered, page, seeds } = reading.value;
      if (anchored.kind !== 'same') {
        this.moveTo(anchored, known, pending, seeds);
        continue;
      }
      if (needsSeeds) {
        this.seed(seeds);
        continue;
      }
      const judged = this.beside(this.judge(gathered, pending, rules, state), pending, resting);
      const isLast = page === undefined && !gathered.full;
      this.store(anchored.position, gathered, pending, judged, state, isLast);
      if (page !== undefined) this.passed(page, state);
      else if (!gathered.full) return this.nextScanIn(judged.dueInMs, state);
      if (clock.monotonic() - began >= SLICE_MS) return 0;
    }
    return undefined;
  }

  /** A row that ended the agent several times is not worked on again. */
  private readonly attempt: Attempt = (guid, work, part = 'whole') => {
    const worked = this.options.store.setAside?.attempt('row', guid, work, part);
    if (worked === undefined) return work();
    if (worked.kind === 'done') return worked.value;
    throw worked.error;
  };

  /** The waiting rows that are not judged now: of few, only large ones. */
  private resting(pending: readonly PendingRow[]): ReadonlySet<number> {
    const now = this.options.clock.monotonic();
    const areMany = pending.length > FEW_WAITING;
    const rowIds = pending.map(({ rowId }) => rowId);
    return new Set(
      rowIds.filter((rowId) => {
        const { until, isLarge } = this.rests.get(rowId) ?? ENDED;
        return until > now && (areMany || isLarge);
      }),
    );
  }

  /** What becomes of a batch and of the rows that rest beside it: they wait on, and are due when their rest is over. */
  private beside(judged: Judged, pending: readonly PendingRow[], resting: ReadonlySet<number>): Judged {
    const { clock } = this.options;
    const now = clock.monotonic();
    const kept = pending.filter(({ rowId }) => resting.has(rowId));
    const still = kept.map(({ rowId }) => [rowId, this.rests.get(rowId) ?? ENDED] as const);
    this.rests = new Map([
      ...still,
      ...[...judged.rests].map(([rowId, { ms, isLarge }]) => [rowId, { until: now + ms, isLarge }] as const),
    ]);
    const dueInMs = [
      ...still.map(([, { until }]) => until - now),
      ...(judged.dueInMs === undefined ? [] : [judged.dueInMs]),
    ];
    return {
      ...judged,
      pending: [...judged.pending, ...kept].toSorted((a, b) => a.rowId - b.rowId),
      dueInMs: dueInMs.length === 0 ? undefined : Math.min(...dueInMs),
    };
  }

  /** From when on (Unix ms) rows are looked for by date in the chat.db that is read. */
  private oldest(state: ReadingState): number {
    return readsFrom(state, this.options.store.cursor.get()?.generation ?? '');
  }

  /** How reading by date goes on; its end is stored when its time is over. */
  private stateNow(): ReadingState | undefined {
    const { store } = this.options;
    const state = store.cursor.reading();
    if (state?.caughtUp !== true || state.lookUntil === null) return state;
    const { steady } = this;
    // An earlier life may have stored an end that no look has, while its clock was ahead.
    if (state.lookUntil > steady.now() && steady.waited(0) < LONGEST_LOOK_MS) return state;
    if (steady.waited(state.lookUntil - LOOK_AGAIN_MS) < LOOK_AGAIN_MS) return state;
    const over = { ...state, lookUntil: null };
    store.write(() => store.cursor.setReading(over));
    return over;
  }

  /** A page by date is stored; the last one of the first look ends the catching up. */
  private passed(page: DatePage, state: ReadingState): void {
    const { store, log } = this.options;
    if (page.next === undefined && !state.caughtUp) {
      store.write(() => store.cursor.setReading({ ...state, caughtUp: true }));
      log.info('Also read rows by date, because the order of rows in chat.db has changed');
    }
    this.dates.advance(page);
  }

  private nextScanIn(dueInMs: number | undefined, state: ReadingState): number | undefined {
    const waits = dueInMs === undefined ? [] : [Math.max(dueInMs, 1)];
    const next = [...waits, ...(this.dates.dueIn(state) === undefined ? [] : [this.dates.dueIn(state) ?? 1])];
    return next.length === 0 ? undefined : Math.min(...next);
  }

  /** Remembers the rows that were passed before any was remembered, so that copies of them are known. */
  private seed(seeds: readonly Seed[]): void {
    const { store, clock } = this.options;
    const state = store.cursor.reading();
    const now = clock.now();
    const rows = this.remembered(seeds);
    store.write(() => {
      for (const row of rows) store.cursor.seen.add(row);
      store.cursor.setReading({
        ...(state ?? {
          since: now,
          beganIn: null,
          caughtUp: true,
          movedAt: null,
          lookUntil: null,
          samples: [],
        }),
        seeded: true,
      });
    });
  }

  /** What is remembered of rows that were passed; of one that cannot be understood, nothing. Outside a write. */
  private remembered(seeds: readonly Seed[]): SeenRow[] {
    const { region, clock } = this.options;
    const oldest = clock.now() - REMEMBERED_MS;
    return seeds.flatMap(({ row, attachments }) => {
      if (row.sentAt !== null && row.sentAt < oldest) return [];
      // Seen long ago, so that a later row of the same whole second is a copy.
      const seenAt = Math.min(row.sentAt ?? clock.now(), clock.now());
      try {
        return [
          this.attempt(
            row.guid,
            () => seenRow(row.guid, identityOf(row, attachments, region()), seenAt, undefined),
            'part',
          ),
        ];
      } catch (error) {
        if (diskFault(error) !== undefined) throw error;
        // It was passed before: it is not judged, and a copy of it is no worse understood than it is.
        return [];
      }
    });
  }

  private judge(
    gathered: Gathered,
    pending: readonly PendingRow[],
    rules: ForwardRules,
    state: ReadingState,
  ): Judged {
    const { region, ownAddresses, worthAnswering, clock, store } = this.options;
    return judge(gathered, pending, {
      region: region(),
      ownAddresses: this.own.with(ownAddresses()),
      worthAnswering,
      hasEchoed: (address) => this.own.hasEchoed(address),
      onlyEchoes: (address) => this.own.onlyEchoes(address),
      rules,
      now: this.steady.now(),
      waited: (since) => this.steady.waited(since),
      seen: store.cursor.seen,
      notBefore: state.lookUntil === null || state.since > clock.now() ? null : this.oldest(state),
      attempt: this.attempt,
    });
  }

  private store(
    from: ReadingPosition,
    gathered: Gathered,
    pending: readonly PendingRow[],
    judged: Judged,
    state: ReadingState,
    isLast: boolean,
  ): void {
    const { store } = this.options;
    const moved = gathered.position.rowId !== from.rowId;
    const waitsAnew =
      judged.pending.length !== pending.length ||
      judged.pending.some(({ rowId, firstSeenAt, completeAt }, index) => {
        const before = pending[index];
        return (
          rowId !== before?.rowId || firstSeenAt !== before.firstSeenAt || completeAt !== before.completeAt
        );
      });
    const isNews =
      judged.messages.length + judged.links.length + judged.events.length + judged.seen.length > 0;
    if (!moved && !waitsAnew && !isNews) return;
    const advance = () => {
      if (moved) {
        store.cursor.set(gathered.position);
        store.cursor.setReading({ ...state, samples: samplesOf(gathered, state.samples) });
      }
      if (waitsAnew) store.cursor.setPending(judged.pending);
    };
    if (isLast && this.failures.count === 0 && isNothingToTell(judged)) {
      this.passShared(judged, advance);
      return;
    }
    const fresh = this.stored(judged, advance);
    this.noteJudged(judged);
    if (fresh.length > 0) this.announce(fresh);
  }

  /**
   * Passes rows of which nothing follows, in one commit with what else this look finds: until then they are read again, and judged the
   * same.
   */
  private passShared(judged: Judged, advance: () => void): void {
    const { store } = this.options;
    let ended: SharedEnd | undefined;
    let isOver = false;
    store.share({
      take() {
        for (const row of judged.seen) store.cursor.seen.add(row);
        advance();
      },
      ended: (end) => {
        ended = end;
        if (isOver) this.endPassLater(judged, end);
      },
    });
    isOver = true;
    if (ended !== undefined) this.endPass(judged, ended);
  }

  private endPass(judged: Judged, end: SharedEnd): void {
    if (end.kind !== 'stored') throw end.fault;
    this.noteJudged(judged);
  }

  /** Outside of a scan. */
  private endPassLater(judged: Judged, end: SharedEnd): void {
    try {
      this.endPass(judged, end);
    } catch (error) {
      this.failed(describeError(error));
      this.timer?.cancel();
      if (!this.stopped) this.timer = this.options.clock.after(STORE_RETRY_MS, () => this.scan());
    }
  }

  private noteJudged(judged: Judged): void {
    const { log } = this.options;
    this.damaged += judged.damagedBodies;
    for (const { rowId, reason, fault } of judged.skipped) {
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
      if (fault === undefined) log.debug('Left out a row of chat.db', { rowId, reason });
      else log.error('A row of chat.db has an unknown form', { rowId, reason, cause: describeError(fault) });
    }
    for (const voice of judged.voices) {
      const change = this.own.heard(voice);
      if (change !== undefined) log.warn(change, { from: maskHandle(voice.address) });
    }
  }

  /** Names the message that it answers by the guid that the backend knows. */
  private answeringOriginals(message: IncomingMessage): IncomingMessage {
    const { replyToGuid } = message;
    if (replyToGuid === null) return message;
    return { ...message, replyToGuid: this.options.store.cursor.seen.originalOf(replyToGuid) };
  }

  /**
   * Stores what a batch is, and `advance` with it, in one write; returns the messages that are new. Where that fails again and
   * again for no fault of the disk, each item has a write of its own, so that one that cannot be taken costs only itself: it is set
   * aside, and the others are taken. A crash in between reads them again, and the guid stores none twice.
   */
  private stored(judged: Judged, advance: () => void): IncomingMessage[] {
    const { store, forwarding, log } = this.options;
    const { seen } = store.cursor;
    const fresh: IncomingMessage[] = [];
    const add = (message: IncomingMessage) => {
      if (store.incoming.add(message)) fresh.push(message);
    };
    const items = [
      ...judged.messages.map((message) => ({
        key: message.guid,
        take: () => add(this.answeringOriginals(message)),
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
      for (const { guid = '', fault } of unreadable) this.setAside(guid, fault);
      advance();
    };
    if (this.failures.count < FAILURES_BEFORE_FAULT) {
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
        store.write(() => this.setAside(key, error));
      }
    }
    // What is noted as seen is not read again, so it comes last.
    store.write(() => {
      for (const row of judged.seen) seen.add(row);
      conclude();
    });
    return fresh;
  }

  /** Inside a write. */
  private setAside(key: string, fault: unknown): void {
    this.options.store.setAside?.note('row', key, describeError(fault));
  }

  /** The messages are stored: a fault in what listens must not stop the reading. */
  private announce(messages: readonly IncomingMessage[]): void {
    try {
      this.options.onMessages(messages);
    } catch (error) {
      this.options.log.error('A listener for incoming messages failed', { error: describeError(error) });
    }
  }

  private moveTo(
    anchored: Anchor,
    known: ReadingPosition | undefined,
    pending: readonly PendingRow[],
    seeds: readonly Seed[],
  ): void {
    const { store, chatDb, log, clock } = this.options;
    const now = clock.now();
    const isFirst = anchored.kind === 'first';
    const passed = this.remembered(seeds);
    const before = store.cursor.reading();
    const beganIn = isFirst && rememberADay(seeds, now) ? anchored.position.generation : null;
    store.write(() => {
      store.cursor.set(anchored.position);
      for (const row of passed) store.cursor.seen.add(row);
      store.cursor.setReading({
        since: before?.since ?? now,
        beganIn: before?.beganIn ?? beganIn,
        seeded: true,
        caughtUp: isFirst,
        movedAt: isFirst ? null : now,
        lookUntil: isFirst ? null : Math.max(before?.lookUntil ?? 0, now + LOOK_AGAIN_MS),
        samples: [],
      });
      if (!anchored.keepsPending && pending.length > 0) store.cursor.setPending([]);
    });
    this.rests.clear();
    this.own.forget();
    this.dates.restart();
    const fields = { rowId: anchored.position.rowId, before: known?.rowId };
    if (anchored.kind === 'first') log.info('Reading chat.db, starting at its newest row', fields);
    else if (anchored.kind === 'found')
      log.info('chat.db is a different file; continuing after the last known row', fields);
    else
      log.warn(
        'chat.db is a different database without the last known row; starting at its newest row',
        fields,
      );
    // The same file with ROWIDs given out anew: its schema may be another too.
    if (known?.generation === anchored.position.generation) chatDb.reopen();
  }
}

/** Whether these are all rows of the day before, by their dates. */
function rememberADay(seeds: readonly Seed[], now: number): boolean {
  return (
    seeds.length < SEEDS || seeds.some(({ row }) => row.sentAt !== null && row.sentAt < now - CLOCK_BEHIND_MS)
  );
}

/** Whether rows were left out or wait on, and that is all. That one is a copy counts for whoever looks next, so it is stored before. */
function isNothingToTell({ messages, links, edited, events, skipped, seen }: Judged): boolean {
  const news = messages.length + links.length + edited.length + events.length;
  const isAnyCopy = seen.some(({ guid, original }) => original !== guid);
  return news === 0 && !isAnyCopy && skipped.every(({ fault }) => fault === undefined);
}

function samplesOf({ rows, position }: Gathered, before: readonly RowPosition[]): RowPosition[] {
  const read = rows.filter(({ row }) => row.rowId <= position.rowId);
  const samples = [...before, ...read.map(({ row: { rowId, guid } }) => ({ rowId, guid }))];
  const ofRows = new Map(samples.map((sample) => [sample.rowId, sample]));
  return [...ofRows.values()].toSorted((a, b) => a.rowId - b.rowId).slice(-SAMPLES);
}
