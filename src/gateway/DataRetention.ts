import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';
import { endOrdersOfRemoved } from './endOrdersOfRemoved.js';
import { forgetAgentEvents } from './ledger/agentEvents.js';
import { forgetAuditEntries } from './ledger/auditLog.js';
import { forgetCommands } from './ledger/commands.js';
import { forgetConversations } from './ledger/conversations.js';
import { forgetEvents } from './ledger/eventLog.js';
import { forgetIdempotencyKeys } from './ledger/idempotency.js';
import { forgetInbox } from './ledger/inbox.js';
import { forgetMessages } from './ledger/messages.js';
import { forgetUpload, type UploadPosition, uploadsBefore } from './ledger/uploads.js';
import { forgetDeliveries } from './ledger/webhookDeliveries.js';
import { oneByOne } from './oneByOne.js';
import type { GatewayDatabase, Transaction } from './storage/GatewayDatabase.js';
import type { UploadStore } from './uploads/UploadStore.js';

/** How often what is too old is forgotten, in ms, and how long after the start for the first time. */
const EVERY_MS = 3_600_000;
const FIRST_MS = 60_000;

/** Agents report an event for 7 days; a message that comes again is known to them for 31. */
const EVENTS_DAYS = 31;
const MESSAGES_DAYS = 45;
/** Who changed what is asked long after. */
const AUDIT_DAYS = 400;

const DAY_MS = 86_400_000;
const FILES_AT_ONCE = 100;
/** The place of files may be away: each would cost a time-out. */
const FAILURES_IN_A_ROW = 20;

interface RetentionParts {
  database: GatewayDatabase;
  clock: Clock;
  log: Logger;
  uploads: UploadStore;
  /** How long what is over is kept, in days; ids by which repeats are known at least as long as agents repeat. */
  keepDays: number;
}

/** Forgets, every hour, what has been over for longer than it is kept. Several replicas may do so at once. */
export class DataRetention {
  private timer: Timer | undefined;
  private running: Promise<void> | undefined;
  private isStopped = false;
  /** How far files were removed; undefined: all of them that could be. */
  private uploadsUntil: UploadPosition | undefined;

  constructor(private readonly parts: RetentionParts) {}

  start(): void {
    this.next(FIRST_MS);
  }

  /** Ends the work after the step that is under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running;
  }

  /** Forgets everything that is too old. Rejects as `oneByOne` does. */
  async forget(): Promise<void> {
    const { database, clock, keepDays } = this.parts;
    const before = (atLeast: number) => clock.now() - Math.max(keepDays, atLeast) * DAY_MS;
    const steps: ((transaction: Transaction) => Promise<boolean>)[] = [
      (transaction) => forgetCommands(transaction, before(MESSAGES_DAYS)),
      (transaction) => forgetAgentEvents(transaction, before(EVENTS_DAYS)),
      (transaction) => forgetInbox(transaction, before(MESSAGES_DAYS)),
      (transaction) => forgetDeliveries(transaction, before(1)),
      (transaction) => forgetEvents(transaction, before(1)),
      (transaction) => forgetMessages(transaction, before(1)),
      (transaction) => forgetConversations(transaction, before(1)),
      (transaction) => forgetIdempotencyKeys(transaction, clock.now()),
      (transaction) => forgetAuditEntries(transaction, before(AUDIT_DAYS)),
    ];
    const forgetting = steps.map((step) => async () => {
      let hasMore = true;
      while (hasMore && !this.isStopped) hasMore = await database.transaction(step);
    });
    // The last one, in case the process that removed an agent was killed before its commands had ended.
    const ending = () => endOrdersOfRemoved(database, clock.now());
    await oneByOne([...forgetting, () => this.forgetUploads(before(1)), ending], async (task) => {
      if (!this.isStopped) await task();
    });
  }

  /**
   * A file that cannot be removed is left for the next run, and the later ones are still removed. If many in a row
   * cannot be removed, this run ends, and the next one continues from there.
   */
  private async forgetUploads(before: number): Promise<void> {
    const { database, uploads, log } = this.parts;
    let failures = 0;
    let inARow = 0;
    let why = '';
    while (!this.isStopped && inARow < FAILURES_IN_A_ROW) {
      const old = await uploadsBefore(database, before, this.uploadsUntil, FILES_AT_ONCE);
      for (const upload of old) {
        if (this.isStopped || inARow >= FAILURES_IN_A_ROW) break;
        this.uploadsUntil = upload;
        try {
          await uploads.remove(upload.file);
          inARow = 0;
        } catch (mistake) {
          failures += 1;
          inARow += 1;
          why = describeError(mistake);
          continue;
        }
        await database.transaction((transaction) => forgetUpload(transaction, upload.agentId, upload.guid));
      }
      if (old.length < FILES_AT_ONCE && inARow < FAILURES_IN_A_ROW) {
        this.uploadsUntil = undefined;
        break;
      }
    }
    if (failures > 0) log.warn(`${failures} old files could not be removed; will retry: ${why}`);
  }

  private next(ms: number): void {
    if (this.isStopped) return;
    this.timer = this.parts.clock.after(ms, () => {
      this.running = this.forget()
        .catch((mistake) => {
          this.parts.log.warn(`Old data could not be forgotten; will retry: ${describeError(mistake)}`);
        })
        .then(() => this.next(EVERY_MS));
    });
  }
}
