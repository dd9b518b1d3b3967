import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Problem } from '../model/problem.js';
import { InstanceLock, identityAt } from '../store/InstanceLock.js';
import { type GapReason, type LedgerGap, type Standing, standingOf } from '../store/ledgerGap.js';
import {
  type ClockRecord,
  clockSince,
  clocksAtStart,
  clocksOfAnother,
  eitherClock,
  withClock,
} from '../store/macClock.js';
import type { Store } from '../store/Store.js';
import {
  type AnsweredMessages,
  allMarks,
  answeredFrom,
  begunTexts,
  forgottenTexts,
  type MarkedAttempt,
  type MarkedMessage,
  Witness,
  type WitnessRecord,
  withAnswered,
  withoutKnown,
} from '../store/Witness.js';
import type { Clock } from '../system/clock.js';
import { freshId } from '../system/random.js';
import { iso } from '../system/time.js';
import { ALIVE_AT } from './Downtime.js';

/** Rows that an agent left may be dated so much later than it was last known to be at work: a text takes time to go out. */
const LAST_ROWS_MS = 60_000;
/** The witness is written to the disk for sure at most so often, in ms; into the system's memory each time. */
const DURABLE_EVERY_MS = 30_000;

/** What keeps two agents of one user off one chat.db, and what records which state directory was at work on it. */
interface SharedPlaces {
  lock: string;
  witness: string;
}

/** In the user's home, so that it is found whatever the state directory is, and stays where that is removed. */
export function sharedPlaces(chatDbPath: string, home: string): SharedPlaces {
  const name = createHash('sha256').update(trueName(chatDbPath)).digest('hex').slice(0, 16);
  const at = (suffix: string) => join(sharedFolder(home), `chatdb-${name}.${suffix}`);
  return { lock: at('lock'), witness: at('witness') };
}

export function sharedFolder(home: string): string {
  return join(home, '.edge-agent');
}

/** By whatever links the path leads to it. The file itself may not be there yet. */
function trueName(path: string): string {
  for (const name of [() => realpathSync(path), () => join(realpathSync(dirname(path)), basename(path))]) {
    try {
      return name();
    } catch {
      // Missing, or not accessible: by what is known of it.
    }
  }
  return path;
}

interface ContinuityOptions {
  places: SharedPlaces;
  /** The state directory and the store in it. */
  directory: string;
  storePath: string;
  clock: Clock;
  log: Logger;
}

/**
 * Holds the lock of the agent on a chat.db, and recognises at the start an incomplete store: one that was restored,
 * copied or salvaged, or a new one after another was in use. From then on the ledger has a gap (`LedgerGap`), and texts
 * are compared with chat.db before they are sent. The witness of this store is kept up to date meanwhile.
 */
export class Continuity {
  private noted: Problem<number, 'state_restored' | 'state_shared'> | undefined;
  private durableAt = Number.NEGATIVE_INFINITY;
  private id = '';
  private store: Store | undefined;
  /** Why nothing is recorded outside of the state directory. */
  private unkept: Problem<number, 'witness_unwritable'> | undefined;
  /** Why the lock, which was removed, cannot be taken again. */
  private unlocked: Problem<number, 'witness_unwritable'> | undefined;
  private answered: AnsweredMessages | undefined;
  private clocks: ClockRecord = [];
  private shownUntil = 0;
  /** How far this clock was ahead of the monotonic one, at the least and at the most, in ms: where that differs, it was set, or the Mac slept. */
  private ahead: readonly number[] = [];
  /** Another agent took the lock: what it did this one never learns, also where it has ended since. */
  private isTaken = false;

  private constructor(
    private readonly options: ContinuityOptions,
    private readonly lock: InstanceLock | undefined,
    private readonly witness: Witness | undefined,
  ) {}

  /**
   * Throws EdgeError `state_shared` if another agent works on this chat.db. Without a writable home directory it
   * continues, and reports it.
   */
  static open(options: ContinuityOptions): Continuity {
    const { places } = options;
    let witness: Witness | undefined;
    let lock: InstanceLock | undefined;
    try {
      witness = Witness.open(places.witness);
      lock = InstanceLock.acquire(places.lock, (path, cause) => shared(path, witness, cause));
    } catch (error) {
      const isShared = error instanceof EdgeError && error.code === 'state_shared';
      if (isShared) {
        witness?.close();
        throw error;
      }
      witness?.close();
      const continuity = new Continuity(options, lock, undefined);
      continuity.unkept = continuity.cannotKeep(error);
      return continuity;
    }
    return new Continuity(options, lock, witness);
  }

  /** Once the store is open, before chat.db is read: whether it knows everything, and what follows. */
  begin(store: Store): void {
    const { storePath, clock } = this.options;
    const own = store.lineage.own();
    const file = identityAt(storePath) ?? '';
    const seen = this.seen();
    const standing = standingOf({
      own,
      file,
      witness: seen,
      isEmpty: store.cursor.get() === undefined && store.sends.newest() === 0,
      isRebuilt: isNewlyRebuilt(store),
    });
    // If it is not known how far the original of this copy had come, a newer copy of it must not pass for this one by
    // its counter.
    const isCounted = standing.kind === 'current' || seen?.store === own?.id;
    this.id = (isCounted ? own?.id : undefined) ?? freshId('store');
    this.store = store;
    store.keepPlaceBy(() => this.keepPlace());
    store.lineage.onAdvanced((counter) => this.record(counter));
    store.lineage.onAnswer((message, at) => this.recordAnswer(message, at));
    const gap = standing.kind === 'gap' ? gapOf(standing, store, clock.now(), seen) : undefined;
    const counter = Math.max(own?.counter ?? 0, seen?.store === this.id ? seen.counter : 0);
    // The counter that this start gets: whatever was done before it is not in a list that begins now.
    this.answered = (seen?.store === this.id ? seen.answered : undefined) ?? answeredFrom(counter + 1);
    this.shownUntil = seen?.shownUntil ?? 0;
    const clocks = seen?.clocks ?? [];
    this.clocks = clocksAtStart(seen?.store === this.id ? clocks : clocksOfAnother(clocks), counter + 1);
    store.write(() => {
      if (standing.kind === 'gap' && gap !== undefined) this.say(standing, gap, store);
      store.lineage.record({ id: this.id, file, counter }, gap);
    });
  }

  /** What was found at the start, which goes with the next one, and what keeps the next one from finding anything. */
  faults(): Problem<number>[] {
    return [this.noted, this.unkept ?? this.unlocked].filter((one) => one !== undefined);
  }

  close(): void {
    this.witness?.close();
    this.lock?.release();
  }

  /** Whether the lock is held where another agent would look for it. One whose file was removed is taken again. */
  private keepPlace(): boolean {
    if (this.isTaken) return false;
    if (this.lock === undefined || this.lock.isInPlace()) {
      this.unlocked = undefined;
      return true;
    }
    const { log, places } = this.options;
    try {
      this.lock.takeAgain();
      this.unlocked = undefined;
      log.warn('The lock on chat.db was removed while the agent runs; taken again', { path: places.lock });
    } catch (error) {
      this.isTaken = error instanceof EdgeError && error.code === 'state_shared';
      if (this.isTaken) return false;
      // There is no place for a lock any more, for any agent: this one continues as if it had started without a lock.
      this.unlocked ??= this.cannotLock(error);
    }
    return true;
  }

  private seen() {
    try {
      return this.witness?.read();
    } catch (error) {
      this.unkept ??= this.cannotKeep(error);
      return undefined;
    }
  }

  /** Flushed to the disk: it may be the only record of what is being sent. */
  private recordAnswer(message: MarkedMessage | undefined, counter: number): void {
    const before = this.answered;
    this.answered =
      message === undefined || before === undefined
        ? answeredFrom(counter)
        : withAnswered(before, message, counter);
    if (this.answered !== before) this.record(counter, true);
  }

  private record(counter: number, mustBeDurable = false): void {
    const { clock, directory } = this.options;
    const isDurable = mustBeDurable || clock.monotonic() - this.durableAt >= DURABLE_EVERY_MS;
    if (isDurable) this.durableAt = clock.monotonic();
    try {
      const { id, answered, store } = this;
      const gap = store?.lineage.gap();
      this.shownUntil = Math.max(this.shownUntil, clock.now());
      const ahead = clock.now() - clock.monotonic();
      this.ahead = [Math.min(ahead, ...this.ahead), Math.max(ahead, ...this.ahead)];
      const setMs = this.ahead.map((before) => ahead - before);
      this.clocks = withClock(this.clocks, counter, store?.lineage.skew() ?? null, setMs);
      const attempts = store === undefined ? [] : unprovenAttempts(store);
      const record = {
        store: id,
        counter,
        aliveAt: clock.now(),
        directory,
        revisions: gap?.revisions ?? 0,
        answered,
        begun: begunTexts(gap?.begun ?? [], attempts),
        clocks: this.clocks,
        shownUntil: this.shownUntil,
      };
      if (this.witness === undefined) return;
      this.witness.write(record, isDurable);
      this.unkept = undefined;
    } catch (error) {
      this.unkept ??= this.cannotKeep(error);
    }
  }

  private cannotKeep(error: unknown): Problem<number, 'witness_unwritable'> {
    const { clock, log, places } = this.options;
    const path = places.witness;
    const cause = describeError(error);
    log.warn(
      'Nothing can be recorded outside of the state directory; a restored copy may not be recognised',
      {
        path,
        cause,
      },
    );
    return {
      code: 'witness_unwritable',
      since: clock.now(),
      message: `${path} cannot be written (${cause}), so an older copy of the store, if it is restored, may send texts again.`,
      remedy: `Check the permissions and the disk of ${dirname(path)}, then restart the agent.`,
    };
  }

  private cannotLock(error: unknown): Problem<number, 'witness_unwritable'> {
    const { clock, log, places } = this.options;
    const path = places.lock;
    const cause = describeError(error);
    log.warn('The lock on chat.db was removed while the agent runs, and cannot be taken again', {
      path,
      cause,
    });
    return {
      code: 'witness_unwritable',
      since: clock.now(),
      message: `${path} was removed and cannot be created again (${cause}), so nothing prevents a second agent on this chat.db.`,
      remedy: `Check the permissions and the disk of ${dirname(path)}; the lock is then taken again automatically.`,
    };
  }

  /** Inside a write. Of a first start there is nothing to say. */
  private say({ reason, directory }: Extract<Standing, { kind: 'gap' }>, gap: LedgerGap, store: Store): void {
    if (reason === 'new') return;
    const code = reason === 'replaced' ? 'state_shared' : 'state_restored';
    const message = WHAT[reason](directory ?? 'an unknown place');
    // Of a salvaged store the log and the status say so already, with what is lost.
    const isSaid = reason === 'rebuilt';
    if (!isSaid) this.noted = { code, since: this.options.clock.now(), message, remedy: REMEDY[code] };
    store.events.add({
      eventType: 'state_restored',
      details: {
        reason,
        since: gap.from === null ? null : iso(gap.from),
        until: iso(gap.until),
      },
    });
    if (!isSaid)
      store.afterCommit(() => this.options.log.error(`${message} ${REMEDY[code]}`, { code, reason }));
  }
}

const WHAT: Readonly<Record<Exclude<GapReason, 'new'>, (directory: string) => string>> = {
  older: () => 'The store is older than what this agent has done: a copy of it was restored.',
  copied: () => 'The store is a copy, and what was done since it was made is not known.',
  replaced: (directory) => `Another store (in ${directory}) has used this chat.db in the meantime.`,
  rebuilt: () => 'The store was salvaged from a damaged file and may lack what was done.',
};

const REMEDY: Readonly<Record<Problem<number, 'state_restored' | 'state_shared'>['code'], string>> = {
  state_restored:
    'What may have been sent is looked up in chat.db first and not sent again; check what is reported as outcome_unknown. This notice ends at the next start.',
  state_shared:
    'Use one state.directory for each chat.db. What the other may have sent is looked up in chat.db first. This notice ends at the next start.',
};

function gapOf(
  { reason, activeUntil }: Extract<Standing, { kind: 'gap' }>,
  store: Store,
  now: number,
  seen: WitnessRecord | undefined,
): LedgerGap {
  const cursor = store.cursor.get();
  const aliveAt = Number(store.meta.get(ALIVE_AT) ?? Number.NaN);
  const before = store.lineage.gap();
  const isSalvaged = reason === 'rebuilt';
  const from = isSalvaged || Number.isNaN(aliveAt) ? null : aliveAt;
  // An agent that was last at work before the copy was made had a clock that was behind.
  const isDated = activeUntil !== null && activeUntil >= (from ?? activeUntil);
  const until = isDated && !isSalvaged ? Math.min(now, activeUntil + LAST_ROWS_MS) : now;
  const gap = {
    reason,
    generation: isSalvaged ? null : (cursor?.generation ?? null),
    afterRow: isSalvaged ? null : (cursor?.rowId ?? null),
    untilRow: null,
    movedAt: store.cursor.reading()?.movedAt ?? null,
    from,
    until,
    foundAt: now,
    salvagedAt: store.salvaged?.at ?? null,
    offeredUpTo: null,
    activeUntil: isSalvaged ? null : activeUntil,
    copiedAt: from,
    knownSends: store.sends.newest(),
    // Of a store that was new or salvaged, what it has not judged is not all of the gap.
    areRowsNoted: reason === 'new' || isSalvaged,
    revisions: revisionsAbove(before?.revisions ?? 0, seen?.revisions ?? 0, now),
    answered: forgottenAnswers(reason, store, seen),
    shownUntil: seen === undefined ? null : Math.max(seen.aliveAt, seen.shownUntil ?? 0),
    clock: forgottenClock(reason, store, seen),
  };
  // An earlier gap is still one: from its beginning to the end of this. A first start is none: the store was whole since.
  const earlier = before === undefined || before.reason === 'new' ? undefined : before;
  const whole =
    earlier === undefined
      ? gap
      : {
          ...gap,
          generation: earlier.generation,
          afterRow: earlier.afterRow,
          movedAt: earlier.movedAt,
          from: earlier.from,
          until: Math.max(until, earlier.until),
          shownUntil: Math.max(gap.shownUntil ?? 0, earlier.shownUntil ?? 0),
          clock: eitherClock(gap.clock, earlier.clock),
        };
  return {
    ...whole,
    begun: forgottenTexts(before?.begun ?? [], forgottenBy(store, seen), until, gap.shownUntil),
  };
}

/** What was handed to Messages, or may have been, and has no row, the newest last: first what is not looked for any more. */
function unprovenAttempts({ sends }: Store): readonly MarkedAttempt[] {
  return [...sends.givenUp(), ...sends.watched(), ...sends.begun()];
}

/**
 * The texts that the agent before had begun to send, without the attempts whose end the store looks for itself, or has given up as unknown.
 * Those that it has as under way stay: its start has yet to settle them.
 */
function forgottenBy(store: Store, seen: WitnessRecord | undefined): WitnessRecord['begun'] {
  if (seen === undefined) return [];
  const { sends, aliases } = store;
  const known = [...sends.givenUp(), ...sends.watched()].flatMap((send) =>
    aliases.namesOf(send.conversation).map((conversation) => ({ ...send, conversation })),
  );
  return withoutKnown(seen.begun, known);
}

/** Including those of an earlier gap that is still open. Null: the witness does not have everything that the store forgot. */
function forgottenAnswers(
  reason: GapReason,
  { lineage, sends }: Store,
  seen: WitnessRecord | undefined,
): LedgerGap['answered'] {
  const [own, before] = [lineage.own(), lineage.gap()];
  if (reason !== 'older' || own === undefined || seen?.answered === undefined) return null;
  if (seen.answered.since > own.counter) return null;
  const earlier = before === undefined || before.reason === 'new' ? [] : before.answered;
  if (earlier === null) return null;
  const known = new Set(earlier.flatMap(({ marks }) => marks));
  const marks = allMarks(seen.answered).filter((mark) => !known.has(mark));
  return [...earlier, { knownSends: sends.newest(), marks }];
}

/** Without a witness it is not known by which clock the forgotten agents sent, nor is that of this store where another was in use since. */
function forgottenClock(
  reason: GapReason,
  { lineage }: Store,
  seen: WitnessRecord | undefined,
): LedgerGap['clock'] {
  const clocks = seen?.clocks ?? [];
  if (reason === 'older') return clockSince(clocks, lineage.own()?.counter);
  return { ...clockSince(clocks), isWhole: false };
}

/** So many acks of one command are never given between two restores. */
const REVISIONS_APART = 1000;
const MINUTE_MS = 60_000;

/**
 * Above every revision that may have been used before: the witness has those that the store forgot, and without a
 * witness the time is used (in minutes, so that it fits 32 bits).
 */
function revisionsAbove(own: number, witnessed: number, now: number): number {
  return Math.max(Math.max(own, witnessed) + REVISIONS_APART, Math.trunc(now / MINUTE_MS));
}

function shared(path: string, witness: Witness | undefined, cause: unknown): EdgeError {
  const other = directoryOf(witness);
  return new EdgeError(
    'state_shared',
    `Another edge-agent uses the same chat.db${other === undefined ? '' : `, with the state directory ${other}`} (${path} is locked).`,
    'Stop the other one first: one agent serves one chat.db.',
    { cause },
  );
}

/** An unreadable lock is no reason to start next to another agent. */
function directoryOf(witness: Witness | undefined): string | undefined {
  try {
    return witness?.read()?.directory;
  } catch {
    return undefined;
  }
}

/** The report of a salvage is kept over crashes; the gap that it left is recorded by then, and ended with the first start. */
function isNewlyRebuilt({ salvaged, lineage }: Store): boolean {
  const gap = lineage.gap();
  if (salvaged === undefined || gap === undefined) return salvaged !== undefined;
  // Which was later does not depend on the clock; only a gap of an earlier version does not say which salvage it knew.
  return gap.salvagedAt === undefined ? gap.until < salvaged.at : gap.salvagedAt !== salvaged.at;
}
