import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock, Timer } from '../../system/clock.js';

export interface ChatDbWatcherOptions {
  chatDb: { readonly path: string; changed(): boolean };
  clock: Clock;
  log: Logger;
  /** How often to look, in ms, when no file event says so. */
  tickMs?: number;
  /** How often to call everybody even if nothing seems to have changed, in ms. */
  forcedMs?: number;
}

/**
 * An event tells of a write to the -wal file, which comes before the commit is visible (SQLite syncs in
 * between), so after one we look again at these distances, in ms.
 */
const LOOKS_AFTER_EVENT = [1, 2, 4, 8, 16, 32] as const;

/**
 * Notices commits to chat.db: by file events on its directory (which survive that -wal and -shm are unlinked
 * and made again), by PRAGMA data_version at every tick should events fail, and by a look that is not asked for
 * any change. Calls its listeners one after another; never throws, never overlaps itself.
 */
export class ChatDbWatcher {
  private readonly listeners = new Set<() => void>();
  private readonly directory: string;
  private readonly name: string;
  private readonly tickMs: number;
  private readonly forcedMs: number;
  private watcher: FSWatcher | undefined;
  private watchedInode: number | undefined;
  private watchFailed = false;
  private ticking: Timer | undefined;
  private following: Timer | undefined;
  private forcedAt = 0;
  private running = false;
  private looking = false;

  constructor(private readonly options: ChatDbWatcherOptions) {
    this.directory = dirname(options.chatDb.path);
    this.name = basename(options.chatDb.path);
    this.tickMs = options.tickMs ?? 200;
    this.forcedMs = options.forcedMs ?? 5000;
  }

  /** Calls `listener` after every change that was noticed, and at each forced look. Returns how to stop that. */
  onLook(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Begins, with a look at once. */
  start(): void {
    if (this.running) return;
    this.running = true;
    this.force();
    this.tickLater();
  }

  /** No listener is called after this; no timer or file watcher is left. Idempotent. */
  stop(): void {
    this.running = false;
    this.ticking?.cancel();
    this.following?.cancel();
    this.unwatch();
  }

  /** Whether file events work; if not, a change is noticed within a tick. */
  hasEvents(): boolean {
    return this.watcher !== undefined;
  }

  private tickLater(): void {
    this.ticking = this.options.clock.after(this.tickMs, () => {
      if (this.options.clock.monotonic() - this.forcedAt >= this.forcedMs) this.force();
      else this.look();
      if (this.running) this.tickLater();
    });
  }

  private look(): void {
    this.guarded(() => {
      if (this.options.chatDb.changed()) this.callListeners();
    });
  }

  private force(): void {
    this.forcedAt = this.options.clock.monotonic();
    this.guarded(() => {
      this.arm();
      // Asked for its side effects: it notes the version, and notices a file that was replaced.
      this.options.chatDb.changed();
      this.callListeners();
    });
  }

  private callListeners(): void {
    for (const listener of [...this.listeners]) {
      if (!this.running) return;
      try {
        listener();
      } catch (error) {
        this.options.log.error('Checking chat.db failed', { error: describeError(error) });
      }
    }
  }

  private guarded(work: () => void): void {
    if (!this.running || this.looking) return;
    this.looking = true;
    try {
      work();
    } catch (error) {
      this.options.log.error('chat.db could not be checked', { error: describeError(error) });
    } finally {
      this.looking = false;
    }
  }

  private onEvent(name: string | null): void {
    if (name !== null && !name.startsWith(this.name)) return;
    this.following?.cancel();
    this.follow(0);
  }

  /** Goes on after a change too: the event may have been of a later commit than the one that was seen. */
  private follow(step: number): void {
    this.look();
    if (!this.running) return;
    const wait = LOOKS_AFTER_EVENT[step];
    if (wait !== undefined) this.following = this.options.clock.after(wait, () => this.follow(step + 1));
  }

  /** Watches the directory, anew if another took its place or the watch failed. */
  private arm(): void {
    const inode = statSync(this.directory, { throwIfNoEntry: false })?.ino;
    if (this.watcher !== undefined && inode === this.watchedInode) return;
    this.unwatch();
    if (inode === undefined) return;
    try {
      const watcher = watch(this.directory, { encoding: 'utf8' }, (_event, name) => this.onEvent(name));
      watcher.on('error', (error) => this.lost(error));
      this.watcher = watcher;
      this.watchedInode = inode;
      this.watchFailed = false;
    } catch (error) {
      this.lost(error);
    }
  }

  /** Events are a convenience: without them the tick sees to it, and the next forced look tries again. */
  private lost(error: unknown): void {
    this.unwatch();
    if (!this.watchFailed) {
      this.options.log.warn('No file events for chat.db; polling instead', { error: describeError(error) });
    }
    this.watchFailed = true;
  }

  private unwatch(): void {
    this.watcher?.close();
    this.watcher = undefined;
    this.watchedInode = undefined;
  }
}
