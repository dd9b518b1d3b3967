import { dirname } from 'node:path';
import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { diskFault, hasRoom, type LostPlace, StateMoved, type StoreFault, storeFault } from './diskFault.js';
import { identityAt } from './InstanceLock.js';

/**
 * Whether the disk takes writes, and why not: full, failing, damaged, or the file is no longer where it was opened. Logged once where it
 * begins and once where it ends.
 */
export class StoreCondition {
  private refused: StoreFault | undefined;
  private place: 'here' | LostPlace = 'here';
  private isPlaceOurs: () => boolean = () => true;
  /** The file that is open. */
  private readonly file: string | undefined;
  private readonly recovered = new Set<() => void>();
  private readonly damaged = new Set<() => void>();
  private readonly moved = new Set<(how: LostPlace) => void>();

  constructor(
    private readonly path: string,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.file = identityAt(path);
  }

  /** Why the disk took no write, and since when (Unix ms); undefined while writes succeed. */
  fault(): StoreFault | undefined {
    return this.refused;
  }

  /** Asks `isOurs` before each write whether this agent still has its place. */
  keepPlaceBy(isOurs: () => boolean): void {
    this.isPlaceOurs = isOurs;
  }

  onMoved(hook: (how: LostPlace) => void): void {
    this.moved.add(hook);
  }

  onDamage(hook: () => void): void {
    this.damaged.add(hook);
  }

  onRecovery(hook: () => void): void {
    this.recovered.add(hook);
  }

  /** Notes whether the file is still where it was opened; false while it is not. */
  isInPlace(): boolean {
    const how = this.whereabouts();
    if (how === 'here') return true;
    this.noteRefusal(new StateMoved(this.path, how));
    return false;
  }

  /** Throws `StateMoved` if the file is not where it was opened. */
  checkPlace(): void {
    const how = this.whereabouts();
    if (how !== 'here') throw new StateMoved(this.path, how);
  }

  /** Without permission to look, SQLite itself reports the fault. */
  private whereabouts(): 'here' | LostPlace {
    if (!this.isPlaceOurs()) return 'taken';
    try {
      const there = identityAt(this.path);
      if (there === this.file) return 'here';
      return there === undefined ? 'missing' : 'replaced';
    } catch {
      return 'here';
    }
  }

  /** Notes why a write or a read failed; nothing where the disk is not to blame. */
  noteRefusal(error: unknown): void {
    const fault = storeFault(error, dirname(this.path));
    if (fault === undefined) return;
    if (this.refused === undefined) this.log.error(`The store cannot be written: ${fault.message}`);
    if (error instanceof StateMoved) {
      if (this.refused?.code !== 'state_moved' || this.place !== error.how)
        this.refused = { ...fault, since: this.clock.now() };
      const isNews = this.place !== error.how;
      this.place = error.how;
      if (isNews) for (const hook of this.moved) hook(error.how);
    }
    if (fault.code === 'store_damaged') {
      this.refused = { ...fault, since: this.refused?.since ?? this.clock.now() };
      for (const hook of this.damaged) hook();
      this.damaged.clear();
    }
    // That code says the least: what is found out later takes its place.
    if (this.refused?.code === 'state_unwritable') this.refused = { ...fault, since: this.refused.since };
    this.refused ??= { ...fault, since: this.clock.now() };
  }

  /** Notes that a write succeeded; returns what is to be called if that ends a fault. */
  noteSuccess(): Iterable<() => void> {
    if (this.refused === undefined || this.refused.code === 'store_damaged') return [];
    if (this.refused.code === 'disk_full' && !hasRoom(dirname(this.path))) return [];
    this.refused = undefined;
    this.place = 'here';
    this.log.info('The store can be written again');
    return this.recovered;
  }
}

/** A write that may be one commit with others. */
export interface SharedWrite {
  /**
   * Inside the write; if that fails, called again with fewer others and finally alone, because the failure may have
   * been due to others.
   */
  take(): void;
  /** Called once. `refused`: the disk did not take it; `failed`: `take` threw, alone too. Nothing of it is stored then. */
  ended(end: SharedEnd): void;
}

export type SharedEnd = { kind: 'stored' } | { kind: 'refused' | 'failed'; fault: unknown };

/** What the queue needs of the store: `transact` is one commit, `follow` does what comes after one, and logs where that throws. */
interface Writer {
  isOpen(): boolean;
  isWriting(): boolean;
  transact(work: () => void): void;
  follow(hook: () => void): void;
}

/** The queue of writes that wait to be one commit with others, in the order in which they came. */
export class SharedWrites {
  private readonly queue: SharedWrite[] = [];
  /** How many of the first in the queue are a commit each, where more at a time failed. */
  private readonly parts: number[] = [];
  /** What comes waits for others. */
  private isTogether = false;

  constructor(private readonly writer: Writer) {}

  /** What comes while `looks` runs is one commit. Within another of these, or a write, it is part of that. */
  together(looks: () => void): void {
    const isOutermost = this.begin();
    try {
      looks();
    } finally {
      if (isOutermost) this.end();
    }
  }

  /** The same of what comes until `atEnd` calls its argument. */
  togetherUntil(atEnd: (end: () => void) => void): void {
    if (this.begin()) atEnd(() => this.end());
  }

  private begin(): boolean {
    if (this.isTogether || this.writer.isWriting()) return false;
    this.isTogether = true;
    return true;
  }

  private end(): void {
    this.commit();
    this.isTogether = false;
  }

  /** Queues a write, and commits it at once where it does not wait for others. */
  add(write: SharedWrite): void {
    this.queue.push(write);
    if (!this.isTogether) this.commit();
  }

  /** When this returns, everything queued is on the disk, or its failure was reported. Does nothing inside a write. */
  commit(): void {
    if (this.writer.isWriting()) return;
    while (this.queue.length > 0) this.takeNext();
  }

  /**
   * Writes the whole queue in one commit. If that fails, it is split into halves, so that a failing write among many is
   * found within a few commits.
   */
  private takeNext(): void {
    const part = this.parts.shift();
    const writes = this.queue.splice(0, part ?? this.queue.length);
    const end = this.transact(writes);
    if (end.kind === 'failed' && part !== 1) {
      const half = Math.ceil(writes.length / 2);
      this.parts.unshift(...[half, writes.length - half].filter((size) => size > 0));
      this.queue.unshift(...writes);
    } else for (const { ended } of writes) this.writer.follow(() => ended(end));
  }

  private transact(writes: readonly SharedWrite[]): SharedEnd {
    try {
      this.writer.transact(() => {
        for (const { take } of writes) take();
      });
      return { kind: 'stored' };
    } catch (fault) {
      const isDisk = !this.writer.isOpen() || diskFault(fault) !== undefined;
      return { kind: isDisk ? 'refused' : 'failed', fault };
    }
  }
}
