import type { Clock } from '../system/clock.js';
import { type CommitHooks, CommitSignal } from './outbox.js';
import type { Database, Statement } from './sqlite.js';

/** manual: somebody asked for it. operator: a person answered there. loop: two machines answered each other. */
type PauseReason = 'manual' | 'operator' | 'loop';

/** A conversation in which nothing goes out; with `incoming`, what comes in waits as well. `since` is Unix ms. */
export interface Pause {
  conversation: string;
  reason: PauseReason;
  since: number;
  incoming: boolean;
}

/** Stands for every conversation; no canonical key is so. */
export const EVERY_CONVERSATION = '*';

/**
 * Where nothing goes out until somebody resumes it; durable. Asked before every text, so it is mirrored in memory. The
 * first reason stays until the pause is lifted.
 */
export class PauseTable {
  private readonly pauses = new Map<string, Pause>();
  private readonly changed: CommitSignal;
  private readonly liftedListeners: ((conversation: string) => void)[] = [];
  private readonly select: Statement;
  private readonly insert: Statement;
  private readonly remove: Statement;
  private readonly updateIncoming: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    hooks: CommitHooks & { onRollback(hook: () => void): void },
  ) {
    this.changed = new CommitSignal(hooks);
    this.select = database.prepare('SELECT conversation, reason, since, incoming FROM pauses ORDER BY since');
    this.insert = database.prepare('INSERT INTO pauses (conversation, reason, since) VALUES (?, ?, ?)');
    this.remove = database.prepare('DELETE FROM pauses WHERE conversation = ?');
    this.updateIncoming = database.prepare('UPDATE pauses SET incoming = ? WHERE conversation = ?');
    this.reload();
    hooks.onRollback(() => this.reload());
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
    const pause = { conversation, reason, since: this.clock.now(), incoming: false };
    this.insert.run(conversation, reason, pause.since);
    this.pauses.set(conversation, pause);
    this.changed.raise();
    return true;
  }

  /** Whether what comes in there waits, for its own sake or because everything does. */
  holdsIncoming(conversation: string): boolean {
    if (this.pauses.size === 0) return false;
    return [EVERY_CONVERSATION, conversation].some((key) => this.pauses.get(key)?.incoming === true);
  }

  /** Inside a write: what comes in waits there, or no longer. False if nothing changes, or there is no such pause. */
  setIncoming(conversation: string, incoming: boolean): boolean {
    const pause = this.pauses.get(conversation);
    if (pause === undefined || pause.incoming === incoming) return false;
    this.updateIncoming.run(incoming ? 1 : 0, conversation);
    this.pauses.set(conversation, { ...pause, incoming });
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
  afterChange(listener: () => void): () => void {
    return this.changed.subscribe(listener);
  }

  /** Reads the table again, after something else changed it. */
  reload(): void {
    this.pauses.clear();
    for (const row of this.select.all() as (Omit<Pause, 'incoming'> & { incoming: number })[]) {
      this.pauses.set(row.conversation, { ...row, incoming: row.incoming === 1 });
    }
  }
}
