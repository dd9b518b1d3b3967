import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';

/** Files are looked at so often whatever events say: there are none on some volumes, and for the target of a link. */
const LOOK_EVERY_MS = 2_000;
/** An editor writes in several steps: a change is reported after this long without another. */
const SETTLED_MS = 200;

interface FilesWatchOptions {
  /** They need not exist. Asked at each look; only those of the start have events. */
  paths: () => readonly string[];
  clock: Clock;
  log: Logger;
  onChange: () => void;
}

/**
 * Reports when a file was written, replaced by another one with its name (as editors save), removed, or made readable
 * by chmod. By events of its directory, and by polling every 2 s.
 */
export class FilesWatch {
  private tick: Timer | undefined;
  private settling: Timer | undefined;
  private watchers: FSWatcher[] = [];
  private reported: string;
  private seen: string;

  constructor(private readonly options: FilesWatchOptions) {
    this.reported = this.stamp();
    this.seen = this.reported;
  }

  start(): void {
    const paths = this.options.paths();
    const names = new Set(paths.map((path) => basename(path)));
    for (const directory of new Set(paths.map((path) => dirname(path)))) {
      this.watchDirectory(directory, names);
    }
    this.keepLooking();
  }

  /** No timer and no watch is left after this. Idempotent. */
  stop(): void {
    this.tick?.cancel();
    this.settling?.cancel();
    for (const watcher of this.watchers.splice(0)) watcher.close();
  }

  private watchDirectory(directory: string, names: ReadonlySet<string>): void {
    try {
      const watcher = watch(directory, { encoding: 'utf8' }, (_, name) => {
        if (name === null || names.has(name)) this.look();
      });
      watcher.on('error', (error) => {
        watcher.close();
        this.withoutEvents(directory, error);
      });
      this.watchers.push(watcher);
    } catch (error) {
      this.withoutEvents(directory, error);
    }
  }

  private withoutEvents(directory: string, error: unknown): void {
    this.options.log.debug('No file events; looking by timer', { directory, error: describeError(error) });
  }

  private keepLooking(): void {
    this.tick = this.options.clock.after(
      LOOK_EVERY_MS,
      () => {
        this.keepLooking();
        this.look();
      },
      'loosely',
    );
  }

  private look(): void {
    const stamp = this.stamp();
    if (stamp === this.seen && (stamp === this.reported || this.settling !== undefined)) return;
    this.seen = stamp;
    this.settling?.cancel();
    this.settling = this.options.clock.after(SETTLED_MS, () => {
      this.settling = undefined;
      if (this.stamp() !== this.seen) this.look();
      else if (this.seen !== this.reported) {
        this.reported = this.seen;
        this.options.onChange();
      }
    });
  }

  private stamp(): string {
    return this.options.paths().map(stampOf).join('\n');
  }
}

function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
  } catch (error) {
    return describeError(error);
  }
}
