import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { diskFault } from './diskFault.js';

type Hook = () => void;

/** What is to be done at the end of a write, after its commit, and after its rollback. */
export class WriteHooks {
  private isOpen = false;
  private readonly closing = new Set<Hook>();
  private readonly committed = new Set<Hook>();
  /** The reports of the current write; the reports of stored writes that are still to be called. */
  private reports: Hook[] = [];
  private readonly reporting: Hook[] = [];
  /** Hooks after a commit are running; deeper while one of them makes a write. */
  private following = 0;
  private readonly kept = new Set<Hook>();
  private readonly rolledBack = new Set<Hook>();
  /** Those of them that the disk gave nothing to. */
  private readonly unread = new Set<Hook>();

  constructor(private readonly log: Logger) {}

  get isWriting(): boolean {
    return this.isOpen;
  }

  /** See `Store.beforeCommit`. */
  beforeCommit(hook: Hook): void {
    this.closing.add(hook);
  }

  /** See `Store.afterCommit`. */
  afterCommit(hook: Hook): void {
    if (!this.isOpen) {
      hook();
      return;
    }
    this.committed.delete(hook);
    this.committed.add(hook);
  }

  /** See `Store.report`. */
  report(hook: Hook): void {
    if (this.isOpen) this.reports.push(hook);
    else if (this.following > 0) this.reporting.push(hook);
    else hook();
  }

  /** See `Store.onCommit`. */
  onCommit(hook: Hook): void {
    this.kept.add(hook);
  }

  /** See `Store.onRollback`. */
  onRollback(hook: Hook): void {
    this.rolledBack.add(hook);
  }

  /** A write begins, before its transaction. */
  begin(): void {
    this.isOpen = true;
  }

  /** Inside the transaction, before the work: reads memory again that could not be read after a rollback. Throws what that throws. */
  readAgain(): void {
    for (const hook of this.unread) hook();
    this.unread.clear();
  }

  /** Inside the transaction, after the work. Throws what a hook throws. */
  close(): void {
    for (const hook of this.closing) {
      this.closing.delete(hook);
      hook();
    }
  }

  /** The write failed; its transaction may still be open. */
  abandon(): void {
    this.closing.clear();
    this.committed.clear();
    this.reports = [];
    this.isOpen = false;
  }

  /** The transaction was rolled back. */
  afterRollback(): void {
    this.unread.clear();
    for (const hook of this.rolledBack) this.follow(hook, (fault) => this.noteUnread(hook, fault));
  }

  /** The write is on the disk. */
  keep(): void {
    this.isOpen = false;
    for (const hook of this.kept) this.follow(hook);
  }

  /** Does what follows from the commit, and then these. */
  afterAll(more: Iterable<Hook>): void {
    const hooks = new Set([...this.committed, ...more]);
    this.committed.clear();
    this.reporting.push(...this.reports);
    this.reports = [];
    const isReported = this.following === 0;
    const followAll = () => {
      this.following += 1;
      for (const hook of hooks) this.follow(hook);
      if (isReported)
        for (let hook = this.reporting.shift(); hook !== undefined; hook = this.reporting.shift())
          this.follow(hook);
      this.following -= 1;
    };
    // What a commit has to say is one write.
    if (hooks.size + this.reporting.length > 1 && this.log.together !== undefined)
      this.log.together(followAll);
    else followAll();
  }

  /** Does what follows from a write; what it throws is logged. */
  follow(hook: Hook, failed?: (fault: unknown) => void): void {
    try {
      hook();
    } catch (fault) {
      failed?.(fault);
      this.log.error('What follows from a stored change failed', { cause: describeError(fault) });
    }
  }

  /** Memory that could not be read again may hold what was never stored: nothing is written based on it. */
  private noteUnread(hook: Hook, fault: unknown): void {
    if (diskFault(fault) !== undefined) this.unread.add(hook);
  }
}
