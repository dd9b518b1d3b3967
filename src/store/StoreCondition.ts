import { dirname } from 'node:path';
import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { hasRoom, type LostPlace, StateMoved, type StoreFault, storeFault } from './diskFault.js';
import { identityAt } from './fileIdentity.js';

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

  /** Where nobody may look, SQLite itself says what is wrong. */
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
