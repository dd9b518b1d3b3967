import type { Clock } from '../system/clock.js';
import { AddedSignal, type CommitHooks } from './outbox.js';
import type { Database, Statement } from './sqlite.js';

/** manual: somebody asked for it. operator: a person answered there. loop: the same was said again and again. */
export type PauseReason = 'manual' | 'operator' | 'loop';

/** A conversation in which nothing goes out. `since` is Unix ms. */
export interface Pause {
  conversation: string;
  reason: PauseReason;
  since: number;
}

/** Stands for every conversation; no canonical key is so. */
export const EVERY_CONVERSATION = '*';

/**
 * Where nothing goes out until somebody resumes it; durable. Asked before every text, so it is mirrored in memory. The
 * first reason stays until the pause is lifted.
 */
export class PauseTable {
  private readonly pauses = new Map<string, Pause>();
  private readonly changed: AddedSignal;
  private readonly liftedListeners: ((conversation: string) => void)[] = [];
  private readonly select: Statement;
  private readonly insert: Statement;
  private readonly remove: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    hooks: CommitHooks & { onRollback(hook: () => void): void },
  ) {
    this.changed = new AddedSignal(hooks);
    this.select = database.prepare('SELECT conversation, reason, since FROM pauses ORDER BY since');
    this.insert = database.prepare('INSERT INTO pauses (conversation, reason, since) VALUES (?, ?, ?)');
    this.remove = database.prepare('DELETE FROM pauses WHERE conversation = ?');
    this.read();
    hooks.onRollback(() => this.read());
  }

  /** Whether nothing may go out in this conversation, for its own sake or because everything is paused. */
  covers(conversation: string): boolean {
    return this.pauses.size > 0 && (this.pauses.has(EVERY_CONVERSATION) || this.pauses.has(conversation));
  }

  get(conversation: string): Pause | undefined {
    return this.pauses.get(conversation);
  }

  /** Inside a write. False if it is paused already; then nothing changes. */
  set(conversation: string, reason: PauseReason): boolean {
    if (this.pauses.has(conversation)) return false;
    const pause = { conversation, reason, since: this.clock.now() };
    this.insert.run(conversation, reason, pause.since);
    this.pauses.set(conversation, pause);
    this.changed.raise();
    return true;
  }

  /** Inside a write. True if there was one. */
  delete(conversation: string): boolean {
    this.remove.run(conversation);
    const existed = this.pauses.delete(conversation);
    if (existed) {
      this.changed.raise();
      for (const listener of this.liftedListeners) listener(conversation);
    }
    return existed;
  }

  /** Calls `listener` for each pause that is lifted, inside the write that lifts it. */
  onLifted(listener: (conversation: string) => void): void {
    this.liftedListeners.push(listener);
  }

  /** All of them, the oldest first. */
  list(): Pause[] {
    return [...this.pauses.values()];
  }

  /** Calls `listener` after each commit that changed something; returns the way to stop it. */
  onChanged(listener: () => void): () => void {
    return this.changed.subscribe(listener);
  }

  private read(): void {
    this.pauses.clear();
    for (const pause of this.select.all() as Pause[]) this.pauses.set(pause.conversation, pause);
  }
}
