import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Logger } from '../logging/Logger.js';
import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';
import { isMissing } from '../system/missingFile.js';
import { writeNewFile } from '../system/writeNewFile.js';
import { safeName } from './contentTypes.js';
import { faultCode } from './faultCode.js';

/** What Messages has made of a file that was sent. */
export interface SentFileFate {
  /** Apple has it, or will never have it: Messages reads the file no more. */
  isOver: boolean;
  /** The location of Messages' own copy according to chat.db; null if unknown. */
  path: string | null;
}

interface StagedFilesOptions {
  store: Store;
  staging: StagingArea;
  /** The state of the file whose outgoing row has this guid; undefined if chat.db does not show it. */
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
 * Removes staged files that are no longer needed: immediately if nothing was sent; once Apple has the file; after 24
 * hours if that is not known. A copy that chat.db names as its own is left to Messages. Files without a stored send or
 * schedule are removed at the start and every hour.
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

  /** Checks which files can be removed; repeats on its own. Never throws because of a file. */
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
    if (removed > 0) log.info('Removed staged files that nothing refers to', { count: removed });
    this.sweptAt = clock.monotonic();
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** In the directory of a copy that chat.db names as its own: it belongs to Messages from then on. */
const KEPT = '.kept';

/**
 * Where files are while they are being sent: `<root>/<uuid>/<name>`, each in a separate directory (0700), under
 * Messages' own directory, because Messages may read no other (docs/facts.md#files).
 */
export class StagingArea {
  constructor(readonly root: string) {}

  /**
   * Puts a file there, durably, and returns its path; its name is made safe. Throws the file system's error, with
   * nothing left behind.
   */
  put(name: string, bytes: Uint8Array): string {
    const directory = join(this.root, randomUUID());
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    chmodSync(this.root, 0o700);
    mkdirSync(directory, { mode: 0o700 });
    try {
      const path = join(directory, safeName(name));
      writeNewFile(path, bytes);
      syncDirectory(directory);
      syncDirectory(this.root);
      return path;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Removes the directory of a staged file; one that is not ours, or is gone, is left alone. */
  remove(path: string): void {
    if (this.owns(path)) rmSync(dirname(path), { recursive: true, force: true });
  }

  /** The file belongs to Messages now: no sweep takes it. */
  keep(path: string): void {
    if (!this.owns(path)) return;
    try {
      writeFileSync(join(dirname(path), KEPT), '', { mode: 0o600 });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /**
   * Removes every directory of ours that holds none of these files, was not given away, and is older than that (Unix
   * ms): what an earlier life or a refused write left. Returns how many.
   */
  sweep(inUse: ReadonlySet<string>, olderThan: number): number {
    const used = new Set([...inUse].map((path) => basename(dirname(path))));
    let removed = 0;
    for (const name of this.directories()) {
      const directory = join(this.root, name);
      if (used.has(name) || lstatSync(directory).mtimeMs > olderThan) continue;
      if (readdirSync(directory).includes(KEPT)) continue;
      rmSync(directory, { recursive: true, force: true });
      removed += 1;
    }
    return removed;
  }

  private owns(path: string): boolean {
    const directory = dirname(path);
    return dirname(directory) === this.root && UUID.test(basename(directory));
  }

  private directories(): string[] {
    try {
      return readdirSync(this.root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && UUID.test(entry.name))
        .map(({ name }) => name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

/** A new name is on the disk only once its directory is. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
