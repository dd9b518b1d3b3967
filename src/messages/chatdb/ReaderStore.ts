import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { IncomingMessage } from '../../model/incoming.js';
import {
  CLOCK_BEHIND_MS,
  LONGEST_LOOK_MS,
  type ReadingState,
  readsFrom,
  SEEN_KEPT_DAYS,
  type SeenRow,
} from '../../store/cursor.js';
import { diskFault } from '../../store/diskFault.js';
import type { LedgerGap } from '../../store/ledgerGap.js';
import type { Store } from '../../store/Store.js';
import type { SetAsideTable } from '../../store/setAside.js';
import type { SharedWrite } from '../../store/writes.js';
import type { Clock, SteadyTime } from '../../system/clock.js';
import type { ChatDb } from './ChatDb.js';
import { SEEDS, type Seed } from './ChatDb.js';
import type { ConversationNames } from './ConversationNames.js';
import { identityOf, REMEMBERED_MS, seenRow } from './classify.js';
import type { Attempt, Judged, PendingRow } from './incomingBatch.js';
import type { ForwardRules, RowEvent } from './judgeRow.js';
import { type Anchor, LOOK_AGAIN_MS, type ReadingPosition } from './readingPosition.js';

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
    pending(): readonly PendingRow[];
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
export interface RowForwarding {
  /** Read at each look. */
  rules(): ForwardRules;
  /** Inside the write that passes the row: reports this to the backend, unless it was reported before. */
  report(event: RowEvent): void;
  /** Inside the write that stores the message: it had been changed then (Unix ms) when it was read. */
  wasEdited(guid: string, editedAt: number): void;
  /** Inside a write: a link belongs to the message with the guid `to`; false if that is not known. */
  joinLink(link: IncomingMessage, to: string): boolean;
}

interface ReadingPlaceOptions {
  store: Pick<ReaderStore, 'write' | 'cursor'>;
  clock: Clock;
  steady: SteadyTime;
  region: string;
  attempt: Attempt;
}

/** How far chat.db has been read, and the state of reading by date: kept in the store, moved if chat.db is a different one. */
export class ReadingPlace {
  constructor(private readonly options: ReadingPlaceOptions) {}

  /** From when on (Unix ms) rows are looked for by date in the chat.db that is read. */
  oldest(state: ReadingState): number {
    return readsFrom(state, this.options.store.cursor.get()?.generation ?? '');
  }

  /** The state of reading by date; its end is stored when its time is over. */
  state(): ReadingState | undefined {
    const { store, steady } = this.options;
    const state = store.cursor.reading();
    if (state?.caughtUp !== true || state.lookUntil === null) return state;
    // An earlier life may have stored an end that no look has, while its clock was ahead.
    if (state.lookUntil > steady.now() && steady.waited(0) < LONGEST_LOOK_MS) return state;
    if (steady.waited(state.lookUntil - LOOK_AGAIN_MS) < LOOK_AGAIN_MS) return state;
    const over = { ...state, lookUntil: null };
    store.write(() => store.cursor.setReading(over));
    return over;
  }

  /** The first look by date is over. */
  caughtUp(state: ReadingState): void {
    const { store } = this.options;
    store.write(() => store.cursor.setReading({ ...state, caughtUp: true }));
  }

  /** Reading continues from there, in a different chat.db or one that is read for the first time. */
  moveTo(anchored: Anchor, pending: readonly PendingRow[], seeds: readonly Seed[]): void {
    const { store, clock } = this.options;
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
  }

  /** Remembers the rows that were passed before any was remembered, so that copies of them are known. */
  seed(seeds: readonly Seed[]): void {
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
    const { region, clock, attempt } = this.options;
    const oldest = clock.now() - REMEMBERED_MS;
    return seeds.flatMap(({ row, attachments }) => {
      if (row.sentAt !== null && row.sentAt < oldest) return [];
      // Seen long ago, so that a later row of the same whole second is a copy.
      const seenAt = Math.min(row.sentAt ?? clock.now(), clock.now());
      try {
        return [
          attempt(
            row.guid,
            () => seenRow(row.guid, identityOf(row, attachments, region), seenAt, undefined),
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
}

/** Whether these are all rows of the day before, by their dates. */
function rememberADay(seeds: readonly Seed[], now: number): boolean {
  return (
    seeds.length < SEEDS || seeds.some(({ row }) => row.sentAt !== null && row.sentAt < now - CLOCK_BEHIND_MS)
  );
}

interface BatchPlace {
  store: ReaderStore;
  forwarding: RowForwarding | undefined;
  log: Logger;
}

/**
 * Stores what a batch is, and `advance` with it, in one write; returns the messages that are new. `isOneByOne`, if that
 * fails repeatedly and the disk is not at fault: each item has a separate write, so an item that cannot be processed is
 * set aside and the others are stored. After a crash in between they are read again, and the guid stores none twice.
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
    ...judged.events.map((event) => ({ key: event.key, take: () => forwarding?.report(event) })),
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

/**
 * What is to be stored of chat.db before its rows are read on: the ties of its groups, and the gap of a store that was put back. A read that
 * chat.db refuses for itself alone must hold back the rows that are judged by what it would have found.
 */
export function readFirst({ chatDb, names, store, clock }: ReadFirst): { beforeScan: () => boolean } {
  return {
    beforeScan: () =>
      chatDb.whole(() => names.readTies(chatDb) !== 'unstored' && noteGap(store, chatDb, clock)) ?? false,
  };
}

interface ReadFirst {
  chatDb: ChatDb;
  names: ConversationNames;
  store: Store;
  clock: Pick<Clock, 'now'>;
}

const DAY_MS = 86_400_000;
/** A clock may have been behind by so much when a row was written, in ms. */
const BEHIND_MS = DAY_MS;
/** Rows read in one go. */
const PAGE = 1000;

/**
 * Everything in chat.db when a gap is found belongs to the gap: records the end of chat.db, and the outgoing rows that
 * the store does not know. To be called before chat.db is read further. False: there is a gap to record and chat.db
 * cannot be read. Then nothing is recorded, no text that may be from the gap is sent, and no row may be read, because
 * it would count as known to the store.
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
