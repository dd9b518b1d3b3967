import * as http from 'node:http';
import * as https from 'node:https';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';
import type { Outbound } from '../system/Outbound.js';

/** A start settles before its first beat; so does a changed setting. */
const FIRST_MS = 10_000;
const DEADLINE_MS = 10_000;

interface HeartbeatOptions {
  /** Read at each beat. Without a URL there is none. */
  settings: () => { url: string | undefined; everyMs: number };
  healthy: () => boolean;
  outbound: Outbound;
  clock: Clock;
  log: Logger;
  /** How long after a start or a changed setting the first beat comes, in ms. For tests. */
  firstMs?: number;
}

/**
 * Requests a URL regularly while the agent is healthy, so that a monitoring service notices when the agent, its Mac or
 * its network is down: missing requests are the alarm. A failure is logged once, and once when it is over. The path of
 * the URL is often secret and is never logged.
 */
export class Heartbeat {
  private timer: Timer | undefined;
  private request: AbortController | undefined;
  private failures = 0;
  private stopped = false;

  constructor(private readonly options: HeartbeatOptions) {}

  /** Also to be called when its settings have changed. */
  start(): void {
    this.arm(Math.min(this.options.firstMs ?? FIRST_MS, this.options.settings().everyMs));
  }

  /** No timer and no request is left after this. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.request?.abort();
  }

  private arm(inMs: number): void {
    this.timer?.cancel();
    this.timer = this.options.clock.after(inMs, () => {
      this.arm(this.options.settings().everyMs);
      void this.beat();
    });
  }

  /** Never rejects: what goes wrong in one beat may go well in the next. */
  private async beat(): Promise<void> {
    const { url } = this.options.settings();
    if (url === undefined || this.request !== undefined) return;
    const request = new AbortController();
    this.request = request;
    const deadline = this.options.clock.after(DEADLINE_MS, () =>
      request.abort(new Error('no answer in 10 s')),
    );
    try {
      if (!this.options.healthy()) return;
      const status = await statusOf(url, this.options.outbound, request.signal);
      if (status >= 200 && status < 300) this.gotThrough();
      else this.failed(url, `HTTP ${status}`);
    } catch (error) {
      if (!this.stopped) this.failed(url, causeOf(error));
    } finally {
      deadline.cancel();
      this.request = undefined;
    }
  }

  private gotThrough(): void {
    const { failures } = this;
    this.failures = 0;
    if (failures > 0) this.options.log.info('The heartbeat works again', { failures });
  }

  private failed(url: string, cause: string): void {
    this.failures += 1;
    if (this.failures > 1) return;
    this.options.log.warn('The heartbeat fails', { host: new URL(url).host, cause });
  }
}

/** Asks by GET and follows no redirect. Rejects where no answer begins. */
function statusOf(address: string, outbound: Outbound, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(address);
    const options = { ...outbound.once(url), signal };
    const request = (url.protocol === 'https:' ? https : http).get(url, options, (response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
  });
}

function causeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : describeError(error);
}
