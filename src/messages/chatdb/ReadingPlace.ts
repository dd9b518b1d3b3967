import { CLOCK_BEHIND_MS, LONGEST_LOOK_MS, type ReadingState, readsFrom } from '../../store/cursor.js';
import { diskFault } from '../../store/diskFault.js';
import type { SeenRow } from '../../store/seenRows.js';
import type { Clock, SteadyTime } from '../../system/clock.js';
import { SEEDS, type Seed } from './ChatDb.js';
import { LOOK_AGAIN_MS } from './DateLook.js';
import type { Attempt, PendingRow } from './incomingBatch.js';
import type { ReaderStore } from './ports.js';
import type { Anchor } from './readingPosition.js';
import { identityOf, REMEMBERED_MS, seenRow } from './rowIdentity.js';

interface ReadingPlaceOptions {
  store: Pick<ReaderStore, 'write' | 'cursor'>;
  clock: Clock;
  steady: SteadyTime;
  region: () => string;
  attempt: Attempt;
}

/** How far chat.db was read, and how reading it by date goes on: kept in the store, moved where chat.db is another than it was. */
export class ReadingPlace {
  constructor(private readonly options: ReadingPlaceOptions) {}

  /** From when on (Unix ms) rows are looked for by date in the chat.db that is read. */
  oldest(state: ReadingState): number {
    return readsFrom(state, this.options.store.cursor.get()?.generation ?? '');
  }

  /** How reading by date goes on; its end is stored when its time is over. */
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

  /** Reading goes on from there, in a chat.db that is another one or is read for the first time. */
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
}

/** Whether these are all rows of the day before, by their dates. */
function rememberADay(seeds: readonly Seed[], now: number): boolean {
  return (
    seeds.length < SEEDS || seeds.some(({ row }) => row.sentAt !== null && row.sentAt < now - CLOCK_BEHIND_MS)
  );
}
