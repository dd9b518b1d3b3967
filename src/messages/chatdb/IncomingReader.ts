import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { maskHandle } from '../../logging/mask.js';
import type { IncomingMessage } from '../../model/incoming.js';
import type { ReadingState } from '../../store/cursor.js';
import type { SharedEnd } from '../../store/writes.js';
import { type Clock, SteadyTime, type Timer } from '../../system/clock.js';
import { lookForRows, type Seed } from './ChatDb.js';
import type { Reading } from './ChatDbConnection.js';
import {
  type Attempt,
  type Gathered,
  type Judged,
  judge,
  type PendingRow,
  RowRests,
} from './incomingBatch.js';
import { type ForwardRules, MESSAGES_ALONE, type SkipReason } from './judgeRow.js';
import { OwnTraffic } from './ownership.js';
import { type ReaderStore, ReadingPlace, type RowForwarding, storeBatch } from './ReaderStore.js';
import { type Anchor, DateLook, type DatePage, type ReadingPosition } from './readingPosition.js';
import type { MessageRows, RowPosition } from './rows.js';

interface IncomingReaderOptions {
  chatDb: {
    whole<T>(reads: () => T): T | undefined;
    readMessages<T>(work: (rows: MessageRows, generation: string) => T): Reading<T>;
    reopen(): void;
  };
  store: ReaderStore;
  clock: Clock;
  log: Logger;
  region: string;
  /** Our own addresses, canonical: what comes from them is not forwarded. */
  ownAddresses: () => ReadonlySet<string>;
  /** Whether a message sent then (Unix ms) is still worth an answer. */
  worthAnswering: (sentAt: number) => boolean;
  /** How old a message may be that is worth an answer in any case, ms; a day if left out. */
  windowMs?: () => number;
  /** What else becomes known, and what is kept from the backend. Left out: messages of everybody and nothing else. */
  forwarding?: RowForwarding;
  /**
   * Called before rows are read, at the instant of chat.db at which they are: whether that may be now; false: it is asked again soon. What
   * it throws counts as a failure of the scan.
   */
  beforeScan?: () => boolean;
  /** Called after the commit with the messages that are new, in the order of their rows. */
  onMessages: (messages: readonly IncomingMessage[]) => void;
}

/** After so many ms of catching up, other work gets its turn. */
const SLICE_MS = 25;
/** How many rows are read at once: as many as fit one time slice, on a busy machine too. */
const BATCH = { least: 25, most: 200 };
/** A locked chat.db is looked at again after this. */
const BUSY_RETRY_MS = 200;
/** A batch that the store did not take (disk full) is tried again after this. */
const STORE_RETRY_MS = 1000;
/** After this many failures in a row it is reported as a fault, because it does not go away on its own. */
const FAILURES_BEFORE_FAULT = 3;
const DAY_MS = 86_400_000;
/** How many of the last rows are used to check whether ROWIDs were reassigned. */
const SAMPLES = 8;
/** In a chat.db that lacks the last row, so many of the messages before it are looked for. */
const KNOWN_ROWS = 200;

/**
 * Reads new rows of chat.db into the store. Each batch is one durable commit of its messages, the cursor and the set of
 * rows that are not complete yet: a crash at any point loses no message and, by the guid, stores none twice. The cursor
 * passes an incomplete row only as a member of that set.
 */
export class IncomingReader {
  private readonly reasons = new Map<SkipReason, number>();
  private damaged = 0;
  private timer: Timer | undefined;
  private scanning = false;
  private readonly failures = { count: 0, since: 0, error: '' };
  private stopped = false;
  private readonly rests: RowRests;
  private readonly own: OwnTraffic;
  private readonly dates: DateLook;
  private batch = BATCH.most;
  private readonly steady: SteadyTime;
  private readonly place: ReadingPlace;

  constructor(private readonly options: IncomingReaderOptions) {
    this.steady = new SteadyTime(options.clock);
    this.rests = new RowRests(options.clock);
    this.own = new OwnTraffic(options.region);
    this.dates = new DateLook(options.clock, options.windowMs ?? (() => DAY_MS));
    const { store, clock, region } = options;
    this.place = new ReadingPlace({ store, clock, region, steady: this.steady, attempt: this.attempt });
  }

  /**
   * Looks for new rows and for the missing parts of waiting rows. Synchronous; to be called whenever chat.db may have
   * changed. It runs again on its own when a waiting row is due or there are more rows to read. Faults of chat.db or
   * the store do not make it throw: they are retried.
   */
  scan(): void {
    if (this.scanning || this.stopped) return;
    this.scanning = true;
    this.timer?.cancel();
    try {
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
      const batchBegan = clock.monotonic();
      const known = store.cursor.get();
      const pending = store.cursor.pending();
      const state = this.place.state();
      const byDate =
        state !== undefined && this.dates.isDue(state)
          ? {
              look: this.dates,
              state: { ...state, since: this.place.oldest(state) },
              isSeen: (guid: string) => store.cursor.seen.has(guid),
            }
          : undefined;
      const samples = state?.samples ?? [];
      const needsSeeds = state?.seeded !== true;
      const resting = this.rests.resting(pending);
      const place = {
        known,
        pending,
        limit: this.batch,
        newestKnown,
        beside: { ...beside, resting },
        samples,
        needsSeeds,
        byDate,
      };
      const reading = chatDb.whole(() =>
        this.options.beforeScan?.() === false
          ? undefined
          : chatDb.readMessages((rows, generation) => lookForRows(place, rows, generation)),
      );
      if (reading?.kind !== 'read') return BUSY_RETRY_MS;
      const { anchored, gathered, page, seeds } = reading.value;
      if (anchored.kind !== 'same') {
        this.moveTo(anchored, known, pending, seeds);
        continue;
      }
      if (needsSeeds) {
        this.place.seed(seeds);
        continue;
      }
      const judged = this.rests.beside(this.judge(gathered, pending, rules, state), pending, resting);
      const isLast = page === undefined && !gathered.full;
      this.store(anchored.position, gathered, pending, judged, state, isLast);
      if (page !== undefined) this.passed(page, state);
      else if (!gathered.full) return this.nextScanIn(judged.dueInMs, state);
      else this.fitBatch(clock.monotonic() - batchBegan);
      if (clock.monotonic() - began >= SLICE_MS) return 0;
    }
    return undefined;
  }

  /** A batch took so long, in ms. */
  private fitBatch(tookMs: number): void {
    const fitting = Math.floor((this.batch * SLICE_MS) / Math.max(tookMs, 1));
    this.batch = Math.min(Math.max(fitting, BATCH.least), 2 * this.batch, BATCH.most);
  }

  /** A row that ended the agent several times is not worked on again. */
  private readonly attempt: Attempt = (guid, work, part = 'whole') => {
    const worked = this.options.store.setAside?.attempt('row', guid, work, part);
    if (worked === undefined) return work();
    if (worked.kind === 'done') return worked.value;
    throw worked.error;
  };

  /** A page by date is stored; the last one of the first look ends the catching up. */
  private passed(page: DatePage, state: ReadingState): void {
    const { log } = this.options;
    if (page.next === undefined && !state.caughtUp) {
      this.place.caughtUp(state);
      log.info('Also read rows by date, because the order of rows in chat.db has changed');
    }
    this.dates.advance(page);
  }

  private nextScanIn(dueInMs: number | undefined, state: ReadingState): number | undefined {
    const waits = dueInMs === undefined ? [] : [Math.max(dueInMs, 1)];
    const next = [...waits, ...(this.dates.dueIn(state) === undefined ? [] : [this.dates.dueIn(state) ?? 1])];
    return next.length === 0 ? undefined : Math.min(...next);
  }

  private judge(
    gathered: Gathered,
    pending: readonly PendingRow[],
    rules: ForwardRules,
    state: ReadingState,
  ): Judged {
    const { region, ownAddresses, worthAnswering, clock, store } = this.options;
    return judge(gathered, pending, {
      region,
      ownAddresses: this.own.with(ownAddresses()),
      worthAnswering,
      hasEchoed: (address) => this.own.hasEchoed(address),
      onlyEchoes: (address) => this.own.onlyEchoes(address),
      rules,
      now: this.steady.now(),
      waited: (since) => this.steady.waited(since),
      seen: store.cursor.seen,
      notBefore: state.lookUntil === null || state.since > clock.now() ? null : this.place.oldest(state),
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
    const { forwarding, log } = this.options;
    const isOneByOne = this.failures.count >= FAILURES_BEFORE_FAULT;
    const fresh = storeBatch({ store, forwarding, log }, judged, advance, isOneByOne);
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
      const change = this.own.noteVoice(voice);
      if (change !== undefined) log.warn(change, { from: maskHandle(voice.address) });
    }
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
    const { chatDb, log } = this.options;
    this.place.moveTo(anchored, pending, seeds);
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
    // The same file with reassigned ROWIDs: its schema may be different too.
    if (known?.generation === anchored.position.generation) chatDb.reopen();
  }
}

/** Whether rows were only left out or keep waiting. A copy matters for the next look, so it is stored before. */
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
