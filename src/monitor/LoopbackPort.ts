import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Problem } from '../model/problem.js';
import type { Clock, Timer } from '../system/clock.js';

const ADDRESSES = ['127.0.0.1', '::1'] as const;
const TRY_AGAIN_MS = 10_000;
/** There is no IPv6 on this machine: nothing is missing. */
const ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/**
 * One port on both loopback addresses only. Both are needed: `localhost` may mean either, and another program on the
 * other address would get our tokens. An address that is not available is retried until `stop`.
 */
export class LoopbackPort {
  private readonly servers = new Map<string, Server>();
  private failure: { since: number; message: string } | undefined;
  private timer: Timer | undefined;
  private bound: number | null = null;
  private stopped = false;

  constructor(
    private readonly options: {
      /** 0: any. */
      port: number;
      /** A server that does not listen yet. */
      server: () => Server;
      clock: Clock;
      log: Logger;
    },
  ) {}

  /** Resolves after the first try, whatever came of it. */
  async start(): Promise<void> {
    await this.bind();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await Promise.all([...this.servers.values()].map(closed));
    this.servers.clear();
    this.bound = null;
  }

  /** Where it is served; null while it is not. */
  get port(): number | null {
    return this.bound;
  }

  fault(): Problem<number, 'monitor_unavailable'> | undefined {
    if (this.failure === undefined) return undefined;
    const { port } = this.options;
    return {
      code: 'monitor_unavailable',
      since: this.failure.since,
      message: `The monitor cannot be served: ${this.failure.message}.`,
      remedy: `Stop what uses port ${port}, or set monitor.port to another one (0: any) and restart; the agent retries on its own.`,
    };
  }

  private async bind(): Promise<void> {
    for (const address of ADDRESSES) {
      if (this.servers.has(address)) continue;
      const error = await this.listen(address);
      if (this.stopped) return;
      if (error !== undefined && !(address === '::1' && ABSENT.has(error.code ?? ''))) {
        this.failed(error);
        return;
      }
    }
    if (this.failure !== undefined) this.options.log.info('The monitor can be served again');
    this.failure = undefined;
  }

  /** Undefined once it listens. */
  private listen(address: string): Promise<NodeJS.ErrnoException | undefined> {
    const server = this.options.server();
    return new Promise((resolve) => {
      server.once('error', resolve);
      server.listen(
        { host: address, port: this.bound ?? this.options.port, ipv6Only: address === '::1' },
        () => {
          server.off('error', resolve);
          server.on('error', (error) =>
            this.options.log.warn('The monitor failed', { cause: describeError(error) }),
          );
          if (this.stopped) server.close();
          else this.servers.set(address, server);
          this.bound ??= (server.address() as AddressInfo).port;
          resolve(undefined);
        },
      );
    });
  }

  private failed(error: Error): void {
    const { clock, log } = this.options;
    if (this.failure === undefined) {
      this.failure = { since: clock.now(), message: describeError(error) };
      log.warn('The monitor cannot be served; trying again', { cause: describeError(error) });
    }
    this.timer = clock.after(TRY_AGAIN_MS, () => void this.bind());
  }
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
