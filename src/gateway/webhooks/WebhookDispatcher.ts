import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock, Timer } from '../../system/clock.js';
import type { Outbound } from '../../system/Outbound.js';
import { type FindAddresses, isPublicAddress } from '../../system/publicAddresses.js';
import type { Random } from '../../system/random.js';
import type { AnswerPorts } from '../application.js';
import type { EventBell } from '../events/EventBell.js';
import type { SecretBox } from '../ledger/SecretBox.js';
import { headOfLane, setAsideOfDisabled } from '../ledger/webhookDeliveries.js';
import { deleteWebhook, webhookWithSecrets } from '../ledger/webhookEndpoints.js';
import {
  dueWebhooks,
  type LaneLease,
  LEFT_TO_SEND_MS,
  leaseLanes,
  nextDue,
  releaseLane,
} from '../ledger/webhookLanes.js';
import type { GatewayDatabase } from '../storage/GatewayDatabase.js';
import { type PostedWebhook, postWebhook } from './postWebhook.js';
import { GIVE_UP_MS, nextAttempt } from './retrySchedule.js';
import { settleAttempt, settleGone } from './settleAttempt.js';
import { signedHeaders } from './signature.js';

/** Standard Webhooks recommends 15 to 30 s. */
const TIMEOUT_MS = 30_000;
/** A replica that lives has a lane for so long at most. Longer than an attempt takes, and than it may take to note it. */
const LEASE_MS = 90_000;
/** So long it is tried to note what came of an attempt, and so often; then the lane is left to its lease. */
const NOTE_MS = 45_000;
const NOTE_AGAIN_MS = 1_000;
/**
 * The longest interval between searches for due deliveries without a notification: those stored by a replica that died
 * before it notified, and those that became due on another one. Known due times are checked on time.
 */
const LOOK_MS = 10_000;
/** How often the look is repeated while the database does not answer: after the first failure, and at the longest. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** How often disabled webhooks are looked through. */
const SWEEP_MS = 600_000;
/** So many attempts at once for one webhook that answers. */
const MOST_AT_ONCE = 16;

export interface WebhookDispatcherOptions extends AnswerPorts {
  readonly database: GatewayDatabase;
  readonly bell: EventBell;
  readonly box: SecretBox;
  /** When attempts are due. */
  readonly clock: Clock;
  readonly random: Random;
  readonly outbound: Outbound;
  readonly log: Logger;
  /** Names this replica in leases. */
  readonly replicaId: string;
  readonly version: string;
  /** Whether webhooks may be in private networks. */
  readonly allowPrivateAddresses: boolean;
  readonly timeoutMs?: number;
  /** For tests. */
  readonly findAddresses?: FindAddresses;
}

interface Pool {
  active: number;
  /** Halved by each attempt that gets no answer, so that a webhook that hangs occupies little; one more for each that does. */
  limit: number;
}

/**
 * Sends events to webhooks: at least once, those of one conversation in their order, on the schedule of `retrySchedule.ts`. A webhook
 * that hangs holds up no other. Any number of replicas share the work.
 */
export class WebhookDispatcher {
  private readonly pools = new Map<string, Pool>();
  private readonly running = new Set<Promise<void>>();
  private readonly stopping = new AbortController();
  private timer: Timer | undefined;
  private turn: Promise<void> | undefined;
  private isAskedAgain = false;
  private failures = 0;
  private sweptAt = Number.NEGATIVE_INFINITY;
  private deafen: (() => void) | undefined;

  constructor(private readonly options: WebhookDispatcherOptions) {}

  start(): void {
    this.deafen = this.options.bell.listen((isForWebhooks) => {
      if (isForWebhooks) this.look();
    });
    this.look();
  }

  /** Cuts attempts that are under way: they are made again, here or elsewhere. Idempotent. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.deafen?.();
    this.timer?.cancel();
    await this.turn;
    await Promise.all(this.running);
  }

  /** Looks for what is due. One look at a time; a ring meanwhile is followed by another one. */
  private look(): void {
    if (this.stopping.signal.aborted) return;
    this.timer?.cancel();
    if (this.turn !== undefined) {
      this.isAskedAgain = true;
      return;
    }
    this.isAskedAgain = false;
    this.turn = this.takeDue()
      .then((pauseMs) => {
        this.failures = 0;
        return pauseMs;
      })
      .catch((error: unknown) => {
        this.failures += 1;
        this.options.log.warn('Webhooks wait; will retry', { error: describeError(error) });
        return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.failures, 8), LONGEST_PAUSE_MS);
      })
      .then((pauseMs) => {
        this.turn = undefined;
        if (this.stopping.signal.aborted) return;
        if (this.isAskedAgain && this.failures === 0) this.look();
        else this.timer = this.options.clock.after(pauseMs, () => this.look());
      });
  }

  /** Begins the attempts that are due. Gives when to look again, in ms: each that ends is followed by a look in any case. */
  private async takeDue(): Promise<number> {
    const { database, clock, replicaId } = this.options;
    const now = clock.now();
    if (clock.monotonic() - this.sweptAt >= SWEEP_MS) {
      await database.transaction((tx) => setAsideOfDisabled(tx, now - GIVE_UP_MS));
      this.sweptAt = clock.monotonic();
    }
    for (const webhookId of await dueWebhooks(database, now)) {
      const pool = this.poolOf(webhookId);
      const limit = pool.limit - pool.active;
      if (limit <= 0) continue;
      const lease = { owner: replicaId, leaseMs: LEASE_MS, limit };
      for (const lane of await database.transaction((tx) => leaseLanes(tx, webhookId, lease, now))) {
        this.run(lane, pool);
      }
    }
    const next = await nextDue(database, now);
    return next === undefined ? LOOK_MS : Math.min(next - now, LOOK_MS);
  }

  private poolOf(webhookId: string): Pool {
    const pool = this.pools.get(webhookId) ?? { active: 0, limit: MOST_AT_ONCE };
    this.pools.set(webhookId, pool);
    return pool;
  }

  private run(lane: LaneLease, pool: Pool): void {
    pool.active += 1;
    const sent = this.sendHead(lane, pool)
      .catch((error: unknown) => {
        this.options.log.warn('An attempt of a webhook could not be made or noted; will retry', {
          webhook: lane.webhookId,
          error: describeError(error),
        });
        return this.persist(() => this.giveBack(lane));
      })
      .catch((error: unknown) => {
        this.options.log.debug('A conversation waits for the end of its lease', {
          error: describeError(error),
        });
      })
      .then(() => {
        pool.active -= 1;
        this.running.delete(sent);
        this.look();
      });
    this.running.add(sent);
  }

  private async sendHead(lease: LaneLease, pool: Pool): Promise<void> {
    const { database, box, clock } = this.options;
    const found = await webhookWithSecrets(database, box, lease.webhookId, clock.now());
    if (found === undefined) {
      // It was deleted while an event for it was stored.
      await database.transaction((tx) => deleteWebhook(tx, lease.webhookId));
      return;
    }
    let askedAt = clock.monotonic();
    const head = await headOfLane(database, lease);
    if (head === undefined || found.endpoint.disabledReason !== null) {
      await this.giveBack(lease);
      return;
    }
    const { delivery, body } = head;
    const headers = signedHeaders({ id: delivery.eventId, body, secrets: found.secrets }, clock.now());
    // A replica that stood still since then, or a webhook that connects slowly, may have lost the lane: another one sends what is newer.
    const mayBegin = async () => {
      const isInTime = () => clock.monotonic() - askedAt < LEFT_TO_SEND_MS;
      if (isInTime()) return true;
      askedAt = clock.monotonic();
      return (await headOfLane(database, lease))?.delivery.eventId === delivery.eventId && isInTime();
    };
    const posted = await this.post(found.endpoint.url, body, headers, mayBegin);
    if (posted.kind === 'stopped') {
      await this.giveBack(lease);
      return;
    }
    if (posted.kind === 'failed') pool.limit = Math.max(1, pool.limit >> 1);
    else pool.limit = Math.min(MOST_AT_ONCE, pool.limit + 1);
    await this.persist(() => this.settle(lease, head, found.endpoint, posted));
  }

  private async giveBack(lease: LaneLease): Promise<void> {
    await this.options.database.transaction(async (tx) => {
      await tx.lock(lease.agentId);
      await releaseLane(tx, lease);
    });
  }

  /**
   * Has something noted also where the database is away for a moment: otherwise the conversation would wait for the end of the lease, and
   * a webhook that has answered be asked again. `note` may be called again after it was done.
   */
  private async persist(note: () => Promise<void>): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.stopping;
    const end = clock.monotonic() + NOTE_MS;
    for (;;) {
      try {
        await note();
        return;
      } catch (error) {
        if (signal.aborted || clock.monotonic() >= end) throw error;
        await pausedUnless(signal, clock, NOTE_AGAIN_MS);
      }
    }
  }

  private post(
    url: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    mayBegin: () => Promise<boolean>,
  ): Promise<PostedWebhook> {
    const {
      clock,
      outbound,
      allowPrivateAddresses,
      timeoutMs = TIMEOUT_MS,
      version,
      findAddresses,
    } = this.options;
    return postWebhook(url, body, headers, {
      clock,
      outbound,
      mayReach: allowPrivateAddresses ? () => true : isPublicAddress,
      proxyResolves: allowPrivateAddresses,
      findAddresses,
      timeoutMs,
      stop: this.stopping.signal,
      mayBegin,
      userAgent: `edge-agent-gateway/${version}`,
    });
  }

  private async settle(
    lease: LaneLease,
    { delivery, body }: NonNullable<Awaited<ReturnType<typeof headOfLane>>>,
    endpoint: NonNullable<Awaited<ReturnType<typeof webhookWithSecrets>>>['endpoint'],
    posted: Exclude<PostedWebhook, { kind: 'stopped' }>,
  ): Promise<void> {
    const { database, clock, random, log, commands, replies, bell } = this.options;
    const now = clock.now();
    const status = posted.kind === 'answered' ? posted.status : null;
    if (posted.kind === 'answered' && posted.status >= 200 && posted.status < 300) {
      const record = { state: 'delivered', nextAt: null, status, error: null } as const;
      const ended = { lease, delivery, body, record, answer: posted.body };
      await database.transaction(async (tx) => {
        await settleAttempt(tx, ended, { commands, replies }, now);
        tx.afterCommit(() => bell.ring());
      });
      return;
    }
    const error = posted.kind === 'failed' ? posted.error : errorOf(posted.status);
    const retryAfterMs = posted.kind === 'answered' ? posted.retryAfterMs : 0;
    const attempts = delivery.attempts + 1;
    const nextAt = nextAttempt({ attempts, createdAt: delivery.createdAt, now, retryAfterMs }, random);
    const aside = { state: 'set_aside', nextAt: null, status, error } as const;
    const record = nextAt === undefined ? aside : ({ ...aside, state: 'waiting', nextAt } as const);
    if (status === 410) {
      log.warn('A webhook is gone (410); it is disabled', { webhook: lease.webhookId });
      await database.transaction((tx) => settleGone(tx, { lease, delivery, record }, endpoint, now));
      return;
    }
    const fields = { webhook: lease.webhookId, event: delivery.eventId, attempts, error };
    if (nextAt === undefined)
      log.warn('A webhook did not accept an event within a day; it is set aside', fields);
    else log.debug('A webhook did not accept an event; will retry', fields);
    await database.transaction((tx) =>
      settleAttempt(tx, { lease, delivery, body, record, answer: null }, { commands, replies }, now),
    );
  }
}

/** Resolves after so many ms, or once the signal is given. */
function pausedUnless(signal: AbortSignal, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.after(ms, end);
    signal.addEventListener('abort', end);
  });
}

function errorOf(status: number): string {
  if (status >= 300 && status < 400) return `HTTP ${status}: redirects are not followed`;
  return `HTTP ${status}`;
}
