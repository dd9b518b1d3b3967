import { type FSWatcher, statSync, type WatchEventType, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock, Timer } from '../../system/clock.js';
import { isMissing } from '../../system/missingFile.js';

export interface ChatDbWatcherOptions {
  chatDb: { readonly path: string; changed(): boolean };
  clock: Clock;
  log: Logger;
  /** How often to look, in ms, when no file event says so. */
  tickMs?: number;
  /** The same while events are proven to report every change. */
  calmTickMs?: number;
  /** How often to call everybody even if nothing seems to have changed, in ms. */
  forcedMs?: number;
  /** Runs the listeners of one look; what they store may be one commit. */
  together?: (looks: () => void) => void;
  /** Watches a path, as `fs.watch` does; for tests. */
  watchPath?: WatchPath;
}

type OnEvent = (event: WatchEventType, name: string | null) => void;
type WatchPath = (path: string, onEvent: OnEvent) => FSWatcher;

const bySystem: WatchPath = (path, onEvent) => watch(path, { encoding: 'utf8' }, onEvent);

/**
 * An event reports a write to the -wal file, which happens before the commit is visible (SQLite syncs in between), so
 * after an event we check again after these times, in ms.
 */
const LOOKS_AFTER_EVENT = [1, 2, 4, 8, 16, 32] as const;
/** While they found no change, for that of a disk that takes long to sync. */
const MORE_LOOKS = [64, 128, 256, 512, 1024] as const;

/** A change that is found without an event may be ahead of it: until then it is not held against events, in ms. */
const EVENT_PATIENCE_MS = 250;
/** Events that failed are believed again after twice as many changes as before, at most so many. */
const MOST_PROOFS = 64;

/**
 * Detects commits to chat.db: by file events, by PRAGMA data_version at every tick in case events fail, and by an
 * unconditional look. Both its directory and its -wal are watched: macOS reports a write to a file that stays open only
 * to watchers of the file, not of the directory (docs/macos.md). Both watches are renewed when another file or
 * directory replaces them, as found by the directory's events or the next unconditional look. While each change comes
 * with an event, the tick is slow; a change without one makes it fast again, until events have proven reliable again,
 * by more changes each time. Calls its listeners one by one; never throws, never overlaps itself.
 */
export class ChatDbWatcher {
  private readonly listeners = new Set<() => void>();
  private readonly name: string;
  private readonly tickMs: number;
  private readonly calmTickMs: number;
  private readonly forcedMs: number;
  private readonly place: WatchedPlace;
  private readonly wal: WatchedPlace;
  private watchFailed = false;
  private hasSeenEvent = false;
  /** When the last event came, monotonic ms. */
  private eventAt = -Infinity;
  /** When a look was last made because of one, monotonic ms. */
  private lookedAt = -Infinity;
  /** When a change was last found, monotonic ms. */
  private foundAt = -Infinity;
  /** Changes in a row that came with an event, and how many of them make events believed. */
  private proofs = 0;
  private neededProofs = 1;
  private doubting: Timer | undefined;
  private ticking: Timer | undefined;
  private following: Timer | undefined;
  private forcedAt = 0;
  private running = false;
  private looking = false;

  constructor(private readonly options: ChatDbWatcherOptions) {
    this.name = basename(options.chatDb.path);
    this.tickMs = options.tickMs ?? 200;
    this.calmTickMs = options.calmTickMs ?? 2000;
    this.forcedMs = options.forcedMs ?? 5000;
    const { watchPath = bySystem, chatDb } = options;
    const onDirectory: OnEvent = (event, name) => this.onDirectory(event, name);
    this.place = new WatchedPlace(dirname(chatDb.path), watchPath, onDirectory);
    this.wal = new WatchedPlace(`${chatDb.path}-wal`, watchPath, () => this.onEvent());
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
    this.doubting?.cancel();
    this.unwatch();
  }

  /**
   * Whether an event of chat.db was seen since it was watched last; if not, a change is noticed within a tick. That something is
   * watched does not say that events come.
   */
  hasEvents(): boolean {
    return this.hasSeenEvent;
  }

  private tickLater(): void {
    const isCalm = this.areEventsProven;
    const tick = () => {
      if (this.options.clock.monotonic() - this.forcedAt >= this.forcedMs) this.force();
      else this.look();
      if (this.running) this.tickLater();
    };
    const { clock } = this.options;
    this.ticking = isCalm ? clock.after(this.calmTickMs, tick, 'loosely') : clock.after(this.tickMs, tick);
  }

  private get areEventsProven(): boolean {
    return this.hasSeenEvent && this.proofs >= this.neededProofs;
  }

  private look(byEvent = false): void {
    this.guarded(() => {
      if (!this.options.chatDb.changed()) return;
      this.noteChange(byEvent);
      this.callListeners();
    });
  }

  /** A change was found: whether an event reported it is known immediately, or soon. */
  private noteChange(byEvent = false): void {
    const { clock } = this.options;
    this.foundAt = clock.monotonic();
    if (byEvent || this.foundAt - this.eventAt <= EVENT_PATIENCE_MS) {
      this.proofs += 1;
      return;
    }
    const { foundAt } = this;
    this.doubting ??= clock.after(EVENT_PATIENCE_MS, () => {
      this.doubting = undefined;
      if (this.eventAt < foundAt) this.disbelieve();
    });
  }

  private disbelieve(): void {
    const wasCalm = this.areEventsProven;
    if (wasCalm) this.neededProofs = Math.min(2 * this.neededProofs, MOST_PROOFS);
    this.proofs = 0;
    if (!wasCalm || !this.running) return;
    this.options.log.debug('chat.db changed without a file event; polling more often');
    this.ticking?.cancel();
    this.tickLater();
  }

  private force(): void {
    this.forcedAt = this.options.clock.monotonic();
    this.guarded(() => {
      this.arm();
      // Asked for its side effects too: it notes the version, and notices a file that was replaced.
      if (this.options.chatDb.changed()) this.noteChange();
      this.callListeners();
    });
  }

  private callListeners(): void {
    const { together } = this.options;
    if (together === undefined) this.callEach();
    else together(() => this.callEach());
  }

  private callEach(): void {
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

  /** The directory also shows that there may be another -wal than the watched one. */
  private onDirectory(event: WatchEventType, name: string | null): void {
    if (name !== null && !name.startsWith(this.name)) return;
    if (event === 'rename') this.arm();
    this.onEvent();
  }

  private onEvent(): void {
    if (!this.running) return;
    this.hasSeenEvent = true;
    this.eventAt = this.options.clock.monotonic();
    this.following?.cancel();
    // One commit is dozens of writes, each with an event or two.
    if (this.eventAt - this.lookedAt < LOOKS_AFTER_EVENT[0]) this.followLater(0);
    else this.follow(0);
  }

  /** Continues after a change too: the event may belong to a later commit than the one that was seen. */
  private follow(step: number): void {
    this.lookedAt = this.options.clock.monotonic();
    this.look(true);
    if (this.running) this.followLater(step);
  }

  private followLater(step: number): void {
    const more = this.foundAt < this.eventAt ? MORE_LOOKS[step - LOOKS_AFTER_EVENT.length] : undefined;
    const wait = LOOKS_AFTER_EVENT[step] ?? more;
    if (wait !== undefined) this.following = this.options.clock.after(wait, () => this.follow(step + 1));
  }

  private arm(): void {
    if (!this.running) return;
    try {
      const onError = (error: unknown) => this.lost(error);
      if (this.place.arm(onError)) this.forgetEvents();
      this.wal.arm(onError);
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
    this.place.unwatch();
    this.wal.unwatch();
    this.forgetEvents();
  }

  private forgetEvents(): void {
    this.hasSeenEvent = false;
    this.proofs = 0;
  }
}

/** A file or directory that is watched for as long as it is the same one. */
class WatchedPlace {
  private watcher: FSWatcher | undefined;
  private inode: number | undefined;

  constructor(
    private readonly path: string,
    private readonly watchPath: WatchPath,
    private readonly onEvent: OnEvent,
  ) {}

  /** Watches what is at the path now, if there is anything. True if that is another one than before. Throws the file system's error. */
  arm(onError: (error: unknown) => void): boolean {
    const inode = statSync(this.path, { throwIfNoEntry: false })?.ino;
    if (inode === this.inode) return false;
    this.unwatch();
    if (inode === undefined) return true;
    try {
      this.watcher = this.watchPath(this.path, this.onEvent);
    } catch (error) {
      // It went meanwhile; what comes in its place is watched.
      if (isMissing(error)) return true;
      throw error;
    }
    this.watcher.on('error', onError);
    this.inode = inode;
    return true;
  }

  unwatch(): void {
    this.watcher?.close();
    this.watcher = undefined;
    this.inode = undefined;
  }
}
