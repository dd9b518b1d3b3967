import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock, Timer } from '../../system/clock.js';
import type { GatewayDatabase, StopListening } from '../storage/GatewayDatabase.js';

const CHANNEL = 'gateway_events';
/** One notification covers everything published in this time, in ms. */
const GATHER_MS = 20;
/** What a notification says where no webhook waits for any of these events; any other one may be for webhooks. */
const FOR_STREAMS_ALONE = 'streams';

/**
 * Says that there may be new events: here at once, on other replicas by a notification. It may ring for nothing, and a notification
 * may be lost: who listens looks from time to time without it.
 */
export class EventBell {
  private readonly listeners = new Set<(isForWebhooks: boolean) => void>();
  private pending: Timer | undefined;
  private isPendingForWebhooks = false;
  private notifying: Promise<void> = Promise.resolve();
  private stopListening: StopListening | undefined;

  constructor(
    private readonly database: GatewayDatabase,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Rejects with `storage_unavailable` if the database does not listen. */
  async start(): Promise<void> {
    this.stopListening = await this.database.listen(
      CHANNEL,
      (payload) => this.wake(payload !== FOR_STREAMS_ALONE),
      () => this.wake(true),
    );
  }

  /** To be called after a commit that published events. `isForWebhooks` false: no webhook has anything to do that it had not before. */
  ring(isForWebhooks = true): void {
    this.wake(isForWebhooks);
    this.isPendingForWebhooks ||= isForWebhooks;
    this.pending ??= this.clock.after(GATHER_MS, () => {
      this.pending = undefined;
      const payload = this.isPendingForWebhooks ? '' : FOR_STREAMS_ALONE;
      this.isPendingForWebhooks = false;
      this.notifying = this.database.notify(CHANNEL, payload).catch((error: unknown) => {
        // The others poll on their own, a little later.
        this.log.debug('Other replicas were not told of events', { error: describeError(error) });
      });
    });
  }

  /** Calls `heard` for each ring, until the returned function is called. */
  listen(listener: (isForWebhooks: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.pending?.cancel();
    this.pending = undefined;
    await this.notifying;
    await this.stopListening?.();
  }

  private wake(isForWebhooks: boolean): void {
    for (const listener of this.listeners) listener(isForWebhooks);
  }
}
