import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { AckBody } from '../model/agentBodies.js';
import type { Circuit } from '../system/Circuit.js';
import type { Clock, Timer } from '../system/clock.js';
import type { Random } from '../system/random.js';
import { type HttpClient, NO_SUCH_ENDPOINT, retryDelay } from './HttpClient.js';
import type { SocketOutbox } from './Outboxes.js';
import { type RefusedItems, refusedAck } from './RefusedItems.js';
import type { BackendStore, QueuedAck, Timings } from './settings.js';

const PAGE = 50;
/** After so many failures of an ack the others go first, to show whether it alone fails. */
const DOUBTED_AFTER = 3;
const NONE: ReadonlySet<string> = new Set();

interface Failing {
  readonly ack: QueuedAck;
  readonly times: number;
  readonly detail: string;
}

interface AckDeliveryPorts {
  readonly store: Pick<BackendStore, 'acks' | 'write'>;
  readonly refused: RefusedItems;
  readonly outbox: SocketOutbox<QueuedAck>;
  readonly post: AckPost;
  /** Of the backend as a whole: while it is open, one request at a time may go. */
  readonly circuit?: Circuit | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Whether the socket is the way for acks. */
  readonly live: () => boolean;
  /** Whether HTTP is: not while the first dial may still make it needless. */
  readonly byHttp: () => boolean;
  /** How long an ack may wait for its pong before it also goes by HTTP, ms. */
  readonly overdueMs: number;
  /** How long a failed post waits, ms: longer with each failure in a row. */
  readonly retryMs: Timings['ackRetryMs'];
}

/**
 * Delivers every ack to the backend by the available channel, and keeps it until the backend provably read it: over the
 * socket by the pong rule, else one by one over HTTP. One post at a time, in the order of the queue, so the acks of one
 * command stay in order. An ack that fails repeatedly lets those of other commands go first; if one of them is read, it
 * waits (`RefusedItems`). Then later acks of its command are sent before it, and once one of them is read, it is not
 * sent again.
 */
export class AckDelivery {
  private timer: { readonly due: number; readonly handle: Timer } | null = null;
  private posting: Promise<void> | null = null;
  private notBefore = 0;
  /** The backend itself said until when nothing is to go by HTTP. */
  private isAsked = false;
  private nextRoundAt = 0;
  private failures = 0;
  /** Failures in a row, by ack; one that is queued again is the same. */
  private readonly failing = new Map<string, Failing>();
  private unsubscribe: (() => void) | null = null;

  constructor(private readonly ports: AckDeliveryPorts) {
    ports.circuit?.onProbe(() => this.pump());
    ports.circuit?.onRecovery(() => {
      if (!this.isAsked) this.notBefore = 0;
      this.pump();
    });
  }

  start(): void {
    this.unsubscribe ??= this.ports.store.acks.afterInsert(() => this.pump());
    this.pump();
  }

  /** Ends it; resolves when the post in flight has ended. */
  async stop(): Promise<void> {
    this.unsubscribe?.();
    this.unsubscribe = null;
    this.timer?.handle.cancel();
    this.timer = null;
    await this.posting;
  }

  /** Sends what can be sent now. Never throws; cheap, and safe to call at any time. */
  pump(): void {
    if (this.unsubscribe === null) return;
    try {
      this.ports.outbox.pump();
      if (this.posting === null) this.arm();
    } catch (error) {
      this.ports.log.error('Acks could not be read from the store', { cause: describeError(error) });
    }
  }

  private arm(): void {
    const { clock } = this.ports;
    const wait = this.waitMs();
    if (wait === undefined) return;
    if (wait > 0) {
      const due = clock.monotonic() + wait;
      if (this.timer && this.timer.due <= due) return;
      this.timer?.handle.cancel();
      const handle = clock.after(wait, () => {
        this.timer = null;
        this.pump();
      });
      this.timer = { due, handle };
      return;
    }
    // It says when a request may be sent again.
    if (this.ports.circuit?.mayBegin() === false) return;
    this.posting = this.postAll()
      .catch((error: unknown) => {
        this.failed(undefined);
        this.ports.log.error('Acks could not be delivered by HTTP', { cause: describeError(error) });
      })
      .finally(() => {
        this.posting = null;
        this.pump();
      });
  }

  /** How long until something may go by HTTP; undefined when nothing has to. */
  private waitMs(): number | undefined {
    const { clock, live, outbox, overdueMs } = this.ports;
    const now = clock.monotonic();
    if (live()) {
      const oldest = outbox.oldestSentAt;
      return oldest === undefined
        ? undefined
        : Math.max(oldest + overdueMs - now, this.nextRoundAt - now, this.notBefore - now, 0);
    }
    if (!this.ports.byHttp()) return undefined;
    if (this.notBefore > now) return this.notBefore - now;
    return this.nextByHttp(0) === undefined ? this.ports.refused.nextInMs('post') : 0;
  }

  private async postAll(): Promise<void> {
    const { store, post, clock, refused } = this.ports;
    // What was read by the socket or in a sync meanwhile is at no fault.
    for (const [name, { ack }] of this.failing)
      if (!store.acks.has(ack.commandId, ack.revision)) this.failing.delete(name);
    for (let from = 0; this.unsubscribe !== null; ) {
      const doubted = this.doubted();
      const ack = this.nextByHttp(from, doubted) ?? this.nextByHttp(0);
      if (ack === undefined) break;
      if (!doubted.has(ack.commandId)) from = ack.seq;
      if (this.ports.circuit?.mayBegin() === false) return;
      this.ports.circuit?.began();
      const posted = await post.post(ack.body);
      if (posted.kind === 'read') {
        this.failures = 0;
        this.failing.delete(nameOf(ack));
        this.setAsideDoubted(ack);
        store.write(() => store.acks.clear([ack.seq], 'http'));
      } else if (posted.kind === 'refused') {
        this.failing.delete(nameOf(ack));
        refused.refuse('post', refusedAck(ack), `HTTP ${posted.status}`, true);
      } else if (posted.kind === 'noEndpoint') {
        this.notBefore = posted.again;
        this.isAsked = true;
        return;
      } else {
        const times = (this.failing.get(nameOf(ack))?.times ?? 0) + 1;
        this.failing.set(nameOf(ack), { ack, times, detail: posted.detail });
        this.failed(posted.retryAfterMs);
        return;
      }
    }
    // With a live socket one round per `overdueMs` is enough.
    if (this.ports.live()) this.nextRoundAt = clock.monotonic() + this.ports.overdueMs;
  }

  /** The commands with an ack that fails again and again. */
  private doubted(): ReadonlySet<string> {
    const worn = [...this.failing.values()].filter(({ times }) => times >= DOUBTED_AFTER);
    return new Set(worn.map(({ ack }) => ack.commandId));
  }

  /** The backend read this ack: those that it did not read so often are at fault themselves. */
  private setAsideDoubted(read: QueuedAck): void {
    for (const [name, { ack, times, detail }] of this.failing) {
      if (times < DOUBTED_AFTER || ack.commandId === read.commandId) continue;
      this.failing.delete(name);
      this.ports.refused.refuse('post', refusedAck(ack), detail, false);
    }
  }

  private failed(retryAfterMs: number | undefined): void {
    this.failures += 1;
    const { retryMs, random } = this.ports;
    const wait = retryDelay(this.failures, retryMs.first, retryMs.longest, random);
    this.notBefore = this.ports.clock.monotonic() + Math.max(wait, retryAfterMs ?? 0);
    this.isAsked = retryAfterMs !== undefined;
  }

  /** The oldest ack after `seq` that has to go by HTTP now, but for those of the commands of `without`. */
  private nextByHttp(seq: number, without: ReadonlySet<string> = NONE): QueuedAck | undefined {
    const { store, outbox, clock, live, overdueMs, refused } = this.ports;
    const now = clock.monotonic();
    const wanted = live() ? new Set(outbox.overdue(now - overdueMs)) : null;
    if (wanted?.size === 0) return undefined;
    for (let from = seq; ; ) {
      const page = store.acks.after(from, PAGE);
      const last = page.at(-1);
      if (last === undefined) return undefined;
      const found = page.find(
        (ack) =>
          (wanted?.has(ack.seq) ?? true) &&
          !refused.waits('post', refusedAck(ack)) &&
          !without.has(ack.commandId),
      );
      if (found) return found;
      from = last.seq;
    }
  }
}

function nameOf({ commandId, revision }: QueuedAck): string {
  return `${commandId} ${revision}`;
}

/** The endpoints of one ack, in the order in which they are tried (protocol §5). */
const PATHS = ['/edge/command/ack', '/edge/ack_command'] as const;
/** A backend is asked again after an hour whether it has the endpoint. */
const ABSENT_MS = 3_600_000;

type AckPosted =
  | { readonly kind: 'read' }
  /** The backend has no endpoint for acks: they travel in syncs. */
  | { readonly kind: 'noEndpoint'; readonly again: number }
  /** This ack is refused; others may fare better. */
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'later'; readonly detail: string; readonly retryAfterMs?: number };

/** Posts single acks. Only a 2xx with a JSON body counts as read. */
export class AckPost {
  private readonly absentUntil = new Map<string, number>();

  constructor(
    private readonly http: HttpClient,
    private readonly clock: Clock,
    private readonly timeoutMs: () => number,
  ) {}

  async post(body: AckBody): Promise<AckPosted> {
    for (const path of PATHS) {
      if ((this.absentUntil.get(path) ?? 0) > this.clock.monotonic()) continue;
      const outcome = await this.http.post({ path, body, timeoutMs: this.timeoutMs() });
      if (outcome.kind === 'ok' && outcome.json !== undefined) return { kind: 'read' };
      if (outcome.kind !== 'status') {
        const detail = outcome.kind === 'ok' ? `${outcome.detail} without JSON` : outcome.detail;
        return { kind: 'later', detail };
      }
      if (NO_SUCH_ENDPOINT.has(outcome.status)) {
        this.absentUntil.set(path, this.clock.monotonic() + ABSENT_MS);
        continue;
      }
      if ([400, 409, 413, 415, 422].includes(outcome.status))
        return { kind: 'refused', status: outcome.status };
      return {
        kind: 'later',
        detail: outcome.detail,
        ...(outcome.retryAfterMs === undefined ? {} : { retryAfterMs: outcome.retryAfterMs }),
      };
    }
    return { kind: 'noEndpoint', again: Math.min(...PATHS.map((path) => this.absentUntil.get(path) ?? 0)) };
  }
}
