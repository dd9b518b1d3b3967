import { basename, dirname } from 'node:path';
import type { Logger } from '../logging/Logger.js';
import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';
import { faultCode } from './faultCode.js';
import type { StagingArea } from './StagingArea.js';

/** What Messages has made of a file that was sent. */
export interface SentFileFate {
  /** Apple has it, or will never have it: Messages reads the file no more. */
  isOver: boolean;
  /** Where chat.db says that its own copy lies; null if it says nothing. */
  path: string | null;
}

interface StagedFilesOptions {
  store: Store;
  staging: StagingArea;
  /** The fate of the file whose outgoing row has this guid; undefined if chat.db does not tell. */
  fateOf: (guid: string) => SentFileFate | undefined;
  clock: Clock;
  log: Logger;
}

const LOOK_EVERY_MS = 60_000;
const SWEEP_EVERY_MS = 3_600_000;
/** A staged file is written right before the commit that names it; this is more than any commit takes. */
const YOUNG_MS = 600_000;
/** Long enough for the slowest upload of Messages'. */
const KEPT_MS = 24 * 3_600_000;
const BATCH = 200;

/**
 * Removes staged files when nobody needs them: at once where nothing was sent; once Apple has the file; after 24 hours
 * where that cannot be known. A copy that chat.db names as its own is left to Messages. What no stored send or schedule
 * knows is swept at the start and every hour.
 */
export class StagedFiles {
  private timer: Timer | undefined;
  private sweptAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: StagedFilesOptions) {}

  start(): void {
    this.look();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Looks now at what may go; comes back by itself. Never throws for the sake of a file. */
  look(): void {
    const { store, clock, log } = this.options;
    this.timer?.cancel();
    if (!store.isOpen) return;
    try {
      this.settle();
      if (clock.monotonic() - this.sweptAt >= SWEEP_EVERY_MS) this.sweep();
    } catch (error) {
      log.warn('Staged files could not be removed; trying again', { cause: faultCode(error) });
    }
    this.timer = clock.after(LOOK_EVERY_MS, () => this.look());
  }

  private settle(): void {
    const { store } = this.options;
    for (let after = 0, full = true; full; ) {
      const sends = store.sendParts.staged(after, BATCH);
      const over = sends.filter((send) => this.release(send));
      if (over.length > 0) {
        store.tryWrite(() => {
          for (const { seq } of over) store.sendParts.setUnstaged(seq);
        });
      }
      full = sends.length === BATCH;
      after = sends.at(-1)?.seq ?? after;
    }
  }

  /** True if the copy is removed or given away. */
  private release(send: SendRecord): boolean {
    const { staging } = this.options;
    const verdict = this.verdictOn(send);
    if (verdict === 'stay' || send.file === null) return false;
    if (verdict === 'keep') staging.keep(send.file);
    else staging.remove(send.file);
    return true;
  }

  private verdictOn(send: SendRecord): 'stay' | 'keep' | 'remove' {
    const { fateOf, clock } = this.options;
    if (send.state === 'failed' && send.guid === null) return 'remove';
    if (send.state !== 'sent' && send.state !== 'failed' && send.state !== 'unknown') return 'stay';
    const fate = send.guid === null ? undefined : fateOf(send.guid);
    const isOld = clock.now() - (send.settledAt ?? clock.now()) > KEPT_MS;
    if (!isOld && fate?.isOver !== true) return 'stay';
    const isTheirs = fate?.path?.includes(`/${basename(dirname(send.file ?? ''))}/`) === true;
    return isTheirs ? 'keep' : 'remove';
  }

  private sweep(): void {
    const { store, staging, clock, log } = this.options;
    const inUse = new Set(store.schedule.stagedFiles());
    for (let after = 0, full = true; full; ) {
      const sends = store.sendParts.staged(after, BATCH);
      for (const { file } of sends) if (file !== null) inUse.add(file);
      full = sends.length === BATCH;
      after = sends.at(-1)?.seq ?? after;
    }
    const removed = staging.sweep(inUse, clock.now() - YOUNG_MS);
    if (removed > 0) log.info('Removed staged files that belong to nothing', { count: removed });
    this.sweptAt = clock.monotonic();
  }
}
