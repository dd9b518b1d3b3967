import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import type { Random } from '../system/random.js';
import type { HttpClient } from './HttpClient.js';
import { retryDelay } from './HttpClient.js';
import type { SyncExchange } from './SyncExchange.js';

const LONGEST_RETRY_MS = 60_000;
/** Failures in a row before they are reported. */
const FAULT_AFTER = 4;
/** With a live socket, how often a backend without syncs is asked whether it has them now. */
const ABSENT_RETRY_MS = 3_600_000;
/** A poll hangs less long than a message may, so that a drop is followed by a fresh one soon. */
const LONGEST_SYNC_MS = 30_000;
/** A sync returns everything queued: 100 000 commands are about 25 MB. */
const MOST_BYTES = 64 * 1024 * 1024;

interface PollerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly http: HttpClient;
  readonly exchange: SyncExchange;
  readonly settings: () => {
    readonly syncIntervalSeconds: number;
    readonly safetySyncSeconds: number;
    readonly requestTimeoutSeconds: number;
  };
  /** Events that have no way but a sync. */
  readonly eventsWait: () => boolean;
  /** Between syncs with events while there is a live socket, ms. */
  readonly eventSyncMs: number;
  /** Called for each sync whose commands were stored; must not throw. */
  readonly onSynced: () => void;
  /** Called for each failed one; must not throw. */
  readonly onFailed: () => void;
}

/**
 * The HTTP fallback. Only `setMode` decides whether it runs. Never two syncs at once; failures back off to a minute.
 * With a live socket it sends only the catch-up sync, waiting events and the safety sync (protocol §6); to a backend
 * without syncs, one when a socket opens and one an hour.
 */
export class HttpPoller {
  private mode: 'running' | 'paused' | 'off' = 'off';
  private timer: Timer | null = null;
  private syncing: Promise<void> | null = null;
  private abort: AbortController | null = null;
  private wanted = false;
  private catchUp = false;
  private failures = 0;
  private succeededAt: number | null = null;
  private failing = { since: 0, detail: '' };
  private isAbsent = false;
  private notBefore = 0;
  private startedAt = 0;

  constructor(private readonly ports: PollerPorts) {}

  setMode(mode: 'running' | 'paused' | 'off', firstInMs?: number): void {
    if (mode === this.mode) return;
    const { clock } = this.ports;
    // From off, the first poll leaves after `firstInMs`: a socket that opens meanwhile makes it needless.
    if (this.mode === 'off' && firstInMs !== undefined)
      this.startedAt = clock.monotonic() - this.intervalMs() + firstInMs;
    this.mode = mode;
    if (mode === 'running') this.catchUp = false;
    if (mode === 'paused') this.wanted = false;
    this.arm();
  }

  /** `dropped`: at once, whatever the interval. `online`: the one catch-up, made until it succeeds. */
  syncSoon(why: 'online' | 'dropped'): void {
    if (this.mode === 'off') return;
    if (why === 'online') this.catchUp = true;
    else this.wanted = true;
    this.arm();
  }

  /** Something that only a sync can carry was added. */
  eventsAdded(): void {
    if (this.mode === 'paused') this.arm();
  }

  /**
   * Since when (Unix ms) syncs fail one after the other, and how the last one did; null: they do not, or nothing needs them: a
   * backend may have none, as long as there is a socket.
   */
  fault(): { readonly since: number; readonly detail: string } | null {
    const isNeedless = this.mode === 'off' || (this.isAbsent && this.mode === 'paused');
    return isNeedless || this.failures < FAULT_AFTER ? null : this.failing;
  }

  /** When a sync last succeeded, Unix ms; null: none has. */
  get syncedAt(): number | null {
    return this.succeededAt;
  }

  /** One last sync, whatever the mode; resolves when it ended, or after `timeoutMs`. Nothing is taken in by it. */
  async lastSync(timeoutMs: number): Promise<void> {
    this.abort?.abort();
    await this.syncing;
    await this.ports.http.post({ path: '/edge/sync', body: this.ports.exchange.begin().body, timeoutMs });
  }

  /** Ends it; resolves when the sync in flight has ended. */
  async stop(): Promise<void> {
    this.setMode('off');
    this.abort?.abort();
    await this.syncing;
  }

  private arm(): void {
    this.timer?.cancel();
    this.timer = null;
    if (this.syncing !== null) return;
    const due = this.dueAt();
    if (due === undefined) return;
    const wait = Math.max(due - this.ports.clock.monotonic(), 0);
    this.timer = this.ports.clock.after(wait, () => this.sync());
  }

  private dueAt(): number | undefined {
    const { settings, eventsWait, eventSyncMs } = this.ports;
    if (this.mode === 'off') return undefined;
    if (this.mode === 'running') {
      return this.wanted ? 0 : Math.max(this.startedAt + this.intervalMs(), this.notBefore);
    }
    const reasons: number[] = [];
    if (this.catchUp) reasons.push(0);
    if (this.isAbsent)
      return Math.max(Math.min(...reasons, this.startedAt + ABSENT_RETRY_MS), this.notBefore);
    if (this.safely(eventsWait)) reasons.push(this.startedAt + eventSyncMs);
    const safety = settings().safetySyncSeconds;
    if (safety > 0) reasons.push(this.startedAt + safety * 1_000);
    return reasons.length === 0 ? undefined : Math.max(Math.min(...reasons), this.notBefore);
  }

  private sync(): void {
    this.timer = null;
    if (this.syncing !== null) return;
    const catchUp = this.catchUp;
    this.wanted = false;
    this.catchUp = false;
    this.startedAt = this.ports.clock.monotonic();
    this.syncing = this.exchange(this.mode === 'paused' && !catchUp)
      .catch((error: unknown) => this.failed(describeError(error), undefined))
      .finally(() => {
        this.syncing = null;
        // A failed catch-up is owed until one succeeds: commands may be stranded.
        if (catchUp && this.failures > 0 && this.mode === 'paused') this.catchUp = !this.isAbsent;
        this.arm();
      });
  }

  private async exchange(besideSocket: boolean): Promise<void> {
    const { http, exchange, settings } = this.ports;
    const begun = exchange.begin();
    this.abort = new AbortController();
    const timeoutMs = Math.min(settings().requestTimeoutSeconds * 1_000, LONGEST_SYNC_MS);
    const outcome = await http.post({
      path: '/edge/sync',
      body: begun.body,
      timeoutMs,
      most: { bytes: MOST_BYTES, pieces: INPUT_LIMITS.syncPieces },
      signal: this.abort.signal,
    });
    this.abort = null;
    const wanted = () => this.mode !== 'off';
    if (!wanted()) return;
    const ended = await exchange.end(begun, outcome, besideSocket, wanted);
    if (!wanted()) return;
    this.isAbsent = ended.kind === 'failed' && ended.isAbsent === true;
    if (ended.kind === 'failed') {
      this.failed(ended.detail, ended.retryAfterMs);
      if (ended.again === true && this.mode === 'running') this.wanted = true;
    } else {
      if (this.failures > 0) this.ports.log.info('HTTP polling works again');
      this.failures = 0;
      this.succeededAt = this.ports.clock.now();
      this.notBefore = 0;
      this.ports.onSynced();
      if (ended.more && this.mode === 'running') this.wanted = true;
    }
  }

  private failed(detail: string, retryAfterMs: number | undefined): void {
    this.failures += 1;
    const since = this.failures === 1 ? this.ports.clock.now() : this.failing.since;
    this.failing = { since, detail };
    const wait = retryDelay(this.failures, this.intervalMs(), LONGEST_RETRY_MS, this.ports.random);
    this.notBefore = this.ports.clock.monotonic() + Math.max(wait, retryAfterMs ?? 0);
    const tell = this.failures === 1 || this.failures % 60 === 0;
    this.ports.log[tell ? 'warn' : 'debug']('HTTP polling failed', {
      cause: detail,
      failures: this.failures,
    });
    this.ports.onFailed();
  }

  /** A store that cannot be read has nothing to carry now; the poll itself will say so. */
  private safely(ask: () => boolean): boolean {
    try {
      return ask();
    } catch (error) {
      this.ports.log.error('The queue of events could not be read', { cause: describeError(error) });
      return false;
    }
  }

  private intervalMs(): number {
    return this.ports.settings().syncIntervalSeconds * 1_000;
  }
}
