import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { Backlog } from './backlog.js';
import { CommandLog, CommandTable } from './commands.js';
import {
  AliasTable,
  ContextTable,
  ConversationKeys,
  ExchangeTable,
  NewRecipientTable,
  PauseTable,
  TargetFormTable,
} from './conversations.js';
import { CursorTable } from './cursor.js';
import { DeadLetters } from './deadLetters.js';
import { diskFault, type LostPlace, type StoreFault } from './diskFault.js';
import { IncomingTable } from './incoming.js';
import { LineageTable, MetaTable } from './lineage.js';
import { isDamage, markCleanStop, openStore } from './openStore.js';
import { OutageTable } from './outages.js';
import { AckTable, EmittedEventTable, EventTable } from './outbox.js';
import { pruning } from './pruning.js';
import { RecentTexts } from './recentTexts.js';
import type { SalvageReport } from './salvage/report.js';
import { ScheduleTable } from './schedule.js';
import { SendPartTable } from './sendParts.js';
import { SendTable } from './sends.js';
import { SetAsideTable } from './setAside.js';
import { type Database, onStatementError, type Statement, StoredRows } from './sqlite.js';
import { TextJournal } from './textJournal.js';
import { UploadTable } from './uploads.js';
import { UsedLinkTable } from './usedLinks.js';
import { WriteHooks } from './writeHooks.js';
import { type SharedWrite, SharedWrites, StoreCondition } from './writes.js';

/**
 * How long a write waits for another process's lock (a backup, a shell), in ms; the whole agent waits with it. Once a
 * write was refused because of it, the next ones do not wait until one succeeds.
 */
const LOCK_PATIENCE_MS = 1_000;

/**
 * What the agent must not forget: one SQLite file, one connection, every call synchronous.
 * A `write` that returned is on the disk, whole; a `write` that threw changed nothing. What trips as it follows from a commit is logged
 * therefore, and costs nothing else that follows.
 */
export class Store {
  readonly meta: MetaTable;
  readonly lineage: LineageTable;
  readonly commands: CommandTable;
  readonly commandLog: CommandLog;
  readonly acks: AckTable;
  readonly events: EventTable;
  readonly exchanges: ExchangeTable;
  readonly incoming: IncomingTable;
  readonly deadLetters: DeadLetters;
  readonly cursor: CursorTable;
  readonly sends: SendTable;
  readonly sendParts: SendPartTable;
  readonly targetForms: TargetFormTable;
  readonly newRecipients: NewRecipientTable;
  readonly uploads: UploadTable;
  readonly usedLinks: UsedLinkTable;
  readonly schedule: ScheduleTable;
  readonly contexts: ContextTable;
  readonly outages: OutageTable;
  readonly pauses: PauseTable;
  readonly setAside: SetAsideTable;
  readonly emittedEvents: EmittedEventTable;
  readonly backlog: Backlog;
  readonly recentTexts: RecentTexts;
  readonly textJournal: TextJournal;
  readonly aliases: AliasTable;
  readonly conversationKeys: ConversationKeys;

  private readonly hooks: WriteHooks;
  private readonly shared: SharedWrites;
  private readonly rekeyed = new Set<(moves: ReadonlyMap<string, string>) => void>();
  private readonly begin: Statement;
  private readonly commit: Statement;
  private readonly rollback: Statement;
  /** SQLite waits so long for locks, in ms. */
  private patience: number | undefined;
  private readonly pruning: ReturnType<typeof pruning>;

  private readonly condition: StoreCondition;
  /** Seen within the write that runs. */
  private damage: unknown;

  private constructor(
    private readonly database: Database,
    path: string,
    clock: Clock,
    log: Logger,
    /** What was had of a damaged predecessor; undefined once a life has ended in order since then. */
    readonly salvaged: SalvageReport | undefined,
    private readonly stoppedCleanly: boolean,
  ) {
    this.hooks = new WriteHooks(log);
    this.condition = new StoreCondition(path, clock, log);
    this.waitForLocks();
    onStatementError(database, (error) => {
      // Of a write, once it is over: the transaction is still open here.
      if (isDamage(error) && !this.hooks.isWriting) this.noteRefusal(error);
      else if (isDamage(error)) this.damage = error;
    });
    this.shared = new SharedWrites({
      isOpen: () => database.open,
      isWriting: () => this.hooks.isWriting,
      transact: (work) => this.transact(work),
      follow: (hook) => this.hooks.follow(hook),
    });
    this.pruning = pruning(database);
    this.begin = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
    this.rollback = database.prepare('ROLLBACK');
    const rows = new StoredRows(clock);
    this.meta = new MetaTable(database, rows);
    this.lineage = new LineageTable(this.meta, this, clock, (key) => this.aliases.namesOf(key));
    this.commands = new CommandTable(database, clock, rows);
    this.commandLog = new CommandLog(database, rows);
    this.acks = new AckTable(database, clock, this, rows);
    this.events = new EventTable(database, clock, this, rows);
    this.exchanges = new ExchangeTable(database);
    this.incoming = new IncomingTable(database, clock, rows);
    this.deadLetters = new DeadLetters(database, this.incoming);
    this.cursor = new CursorTable(database, rows);
    this.sends = new SendTable(database, clock);
    this.onRollback(() => {
      this.sends.reload();
      this.cursor.reload();
      this.outages.reload();
    });
    this.onRekeyed(() => this.sends.reload());
    this.cursor.seen.onCopy(({ conversation, guid }, original) =>
      this.sends.answersCopyOf(conversation, guid, original),
    );
    this.sendParts = new SendPartTable(database, (seq) => this.sends.touch(seq));
    this.targetForms = new TargetFormTable(database, clock);
    this.newRecipients = new NewRecipientTable(database);
    this.uploads = new UploadTable(database, clock, rows);
    this.usedLinks = new UsedLinkTable(database);
    this.schedule = new ScheduleTable(database, clock, rows);
    this.contexts = new ContextTable(database, clock, rows);
    this.outages = new OutageTable(database, clock);
    this.pauses = new PauseTable(database, clock, this);
    this.setAside = new SetAsideTable(database, clock, (work) => this.tryWrite(work), stoppedCleanly, rows);
    this.emittedEvents = new EmittedEventTable(database, clock);
    this.backlog = new Backlog(database);
    this.recentTexts = new RecentTexts(database, rows);
    this.textJournal = new TextJournal(database, clock, this);
    this.aliases = new AliasTable(database, clock, this);
    this.conversationKeys = new ConversationKeys(database);
  }

  /**
   * Opens or creates the store, checks it after an unclean stop, sets a damaged one aside and says so loudly. Throws
   * EdgeError `store_newer` or `state_unwritable`.
   */
  static open(path: string, { clock, log }: { clock: Clock; log: Logger }): Store {
    return openStore(path, clock, log, (database, salvaged, stoppedCleanly) => {
      return new Store(database, path, clock, log, salvaged, stoppedCleanly);
    });
  }

  /**
   * Runs `work` as one durable commit. A nested write joins the outer one. Hooks: `beforeCommit` work runs at the
   * end of the outermost write, inside the transaction; `afterCommit` work runs once it is on the disk.
   */
  write<T>(work: () => T): T {
    if (this.hooks.isWriting) return work();
    // What was shared before this comes before it.
    this.shared.commit();
    return this.transact(work);
  }

  private transact<T>(work: () => T): T {
    const { hooks } = this;
    let result: T;
    hooks.begin();
    try {
      if (this.database.open) this.condition.checkPlace();
      this.begin.run();
      hooks.readAgain();
      result = work();
      hooks.close();
      this.commit.run();
    } catch (error) {
      hooks.abandon();
      if (this.database.inTransaction) this.rollback.run();
      this.noteRefusal(error);
      hooks.afterRollback();
      throw error;
    }
    hooks.keep();
    if (this.damage !== undefined) this.noteRefusal(this.damage);
    const recovered = this.condition.noteSuccess();
    this.waitForLocks();
    hooks.afterAll(recovered);
    return result;
  }

  /**
   * A write whose failure the caller can bear and will try again: false, with nothing changed, while the disk
   * does not take it (full, failing, locked), and once the store is closed. Everything else thrown is thrown on.
   */
  tryWrite(work: () => void): boolean {
    if (!this.database.open) return false;
    try {
      this.write(work);
      return true;
    } catch (error) {
      if (diskFault(error) === undefined) throw error;
      return false;
    }
  }

  /**
   * A read that the caller will repeat and whose failure it tolerates: undefined while the disk cannot be read, and
   * once the store is closed. For reads started by a timer or a promise, where nothing else would catch the error. All
   * other errors are rethrown.
   */
  tryRead<T>(look: () => T): { readonly value: T } | undefined {
    if (!this.database.open) return undefined;
    try {
      return { value: look() };
    } catch (error) {
      if (diskFault(error) === undefined) throw error;
      return undefined;
    }
  }

  /**
   * Processes these in one write. If that fails and the disk is not at fault, each gets a separate write, and only the
   * one that fails there is affected: `setAside` stores that, also in a write. False if the disk could not store all of
   * them.
   */
  tryEach<T>(
    items: readonly T[],
    take: (item: T) => void,
    setAside: (item: T, fault: unknown) => void,
  ): boolean {
    try {
      return this.tryWrite(() => {
        for (const item of items) take(item);
      });
    } catch {
      // Which of them it was is found when each has a separate write.
      return items.every((item) => this.tryAlone(item, take, setAside));
    }
  }

  private tryAlone<T>(
    item: T,
    take: (item: T) => void,
    setAside: (item: T, fault: unknown) => void,
  ): boolean {
    try {
      return this.tryWrite(() => take(item));
    } catch (fault) {
      return this.tryWrite(() => setAside(item, fault));
    }
  }

  /**
   * Runs `looks`; what they share is one commit at their end, or before the next write of another kind. Within another `together` it is
   * part of that one.
   */
  together(looks: () => void): void {
    this.shared.together(looks);
  }

  /** The same of what is shared until `atEnd` calls what it is given: of what comes one by one. */
  togetherUntil(atEnd: (end: () => void) => void): void {
    this.shared.togetherUntil(atEnd);
  }

  /**
   * Makes a write that is one commit with the other shared writes in the same `together`, in this order; outside of
   * one, immediately. If that fails and the disk is not at fault, it is split into halves until a failing write is
   * alone. Inside a write it is part of that, and its result is reported only with the commit.
   */
  share(write: SharedWrite): void {
    if (!this.hooks.isWriting) this.shared.add(write);
    else {
      write.take();
      this.afterCommit(() => write.ended({ kind: 'stored' }));
    }
  }

  /**
   * When this returns, all shared writes so far are on the disk, or their failure was reported. For callers that read
   * what they change.
   */
  commitShared(): void {
    this.shared.commit();
  }

  /** Why the disk took no write, and since when (Unix ms); undefined while writes succeed. */
  fault(): StoreFault | undefined {
    return this.condition.fault();
  }

  /** Inside a write: run `hook` at its end, still in the transaction; the same function is run once however often it is asked for. */
  beforeCommit(hook: () => void): void {
    this.hooks.beforeCommit(hook);
  }

  /**
   * Inside a write: run `hook` after the commit; never if it is rolled back. The same function runs once, at its last
   * position: after everything that was registered before.
   */
  afterCommit(hook: () => void): void {
    this.hooks.afterCommit(hook);
  }

  /**
   * For reports only (the log, monitor clients): like `afterCommit`, but after all other work that follows the commit,
   * so that osascript does not wait for it. In the order of registration, also across nested writes; inside a hook
   * after a commit it is called after that hook, and outside of both immediately.
   */
  report(hook: () => void): void {
    this.hooks.report(hook);
  }

  /**
   * Calls `hook` after every commit, before all that follows from it: for memory that can undo what a write did to it. A write that
   * follows and is rolled back must not undo this one.
   */
  onCommit(hook: () => void): void {
    this.hooks.onCommit(hook);
  }

  /**
   * Calls `hook` after every write that changed nothing because it threw: for memory that mirrors the store. If the disk gives it nothing
   * then, it is called again at the beginning of the next write, which fails if that does.
   */
  onRollback(hook: () => void): void {
    this.hooks.onRollback(hook);
  }

  /**
   * Inside a write: data under each of these keys belongs to another key from now on. Mirrors of the store are notified
   * immediately, and again by `onRollback` if the write fails.
   */
  rekey(moves: ReadonlyMap<string, string>, twinKeyOf: (conversation: string, text: string) => string): void {
    for (const [from, to] of moves) this.conversationKeys.move(from, to, twinKeyOf);
    this.aliases.reload();
    this.pauses.reload();
    for (const hook of this.rekeyed) hook(moves);
  }

  /** Calls `hook` inside each write that moved conversations to other keys (old key → new one). */
  onRekeyed(hook: (moves: ReadonlyMap<string, string>) => void): void {
    this.rekeyed.add(hook);
  }

  /**
   * Checks whether the file is still where it was opened; false while it is not. SQLite itself keeps writing to a file
   * that was moved or unlinked, and the next start would not find those writes.
   */
  isInPlace(): boolean {
    const isInPlace = this.condition.isInPlace();
    this.waitForLocks();
    return isInPlace;
  }

  /**
   * Calls `hook` each time the file turns out not to be at its path: `missing` until it is put back; if there is
   * another file (`replaced`), or another agent has taken the place (`taken`), only the next start can continue.
   */
  onMoved(hook: (how: LostPlace) => void): void {
    this.condition.onMoved(hook);
  }

  /** Asks `isOurs` before each write whether this agent still has its place; none succeeds where it has not. */
  keepPlaceBy(isOurs: () => boolean): void {
    this.condition.keepPlaceBy(isOurs);
  }

  /** Where a damaged predecessor is kept. */
  get rebuiltFrom(): string | undefined {
    return this.salvaged?.aside;
  }

  get isOpen(): boolean {
    return this.database.open;
  }

  /** Calls `hook` once when the file turns out to be damaged: only the next start can repair it. */
  onDamage(hook: () => void): void {
    this.condition.onDamage(hook);
  }

  /** Calls `hook` when writes succeed again after the disk took none. */
  onRecovery(hook: () => void): void {
    this.condition.onRecovery(hook);
  }

  /** Query plans, for the tests that forbid scans of growing tables. */
  explain(sql: string): string[] {
    const rows = this.database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    return rows.map((row) => row.detail);
  }

  /**
   * Inside a write: forgets up to `limit` rows a table that are older than the given Unix ms; returns how many it dealt with, 0 once
   * nothing is left to look at.
   */
  prune(bounds: { ended: number; commands: number; limit: number }): number {
    const { rows, forgotten } = this.pruning(bounds);
    if (forgotten > 0) this.sends.reload();
    return rows;
  }

  private noteRefusal(error: unknown): void {
    this.condition.noteRefusal(error);
    this.waitForLocks();
  }

  /** Once a write was refused, the next ones do not wait for another process's lock. */
  private waitForLocks(): void {
    const patience = this.fault() === undefined ? LOCK_PATIENCE_MS : 0;
    if (patience === this.patience) return;
    this.patience = patience;
    this.database.pragma(`busy_timeout = ${patience}`);
  }

  /** Closes the file in order. Idempotent; no write succeeds after it. */
  close(): void {
    if (!this.database.open) return;
    if (this.fault()?.code !== 'store_damaged') this.tryWrite(() => markCleanStop(this.database));
    this.database.close();
  }

  /** Closes the file after use without a running agent; the record of how the last agent ended stays unchanged. Idempotent. */
  leave(): void {
    if (this.stoppedCleanly) this.close();
    else this.database.close();
  }
}
