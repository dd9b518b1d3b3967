import { Client } from 'pg';
import type { Clock, Timer } from '../../system/clock.js';
import { type ConnectSettings, clientConfig, destroy } from './PostgresClient.js';
import { connectFault } from './postgresFault.js';
import { withinDeadline } from './withinDeadline.js';

/** So often a connection on which nothing comes is tried, in ms: a network that swallows everything shows in no other way. */
const PROBE_MS = 15_000;

/** One connection that listens, from its beginning until it is lost or ended. */
export class PostgresListeningSession {
  private readonly client: Client;
  private answered: Promise<unknown> = Promise.resolve();
  private isLost = false;
  private wake: () => void = () => undefined;

  constructor(
    private readonly settings: ConnectSettings,
    private readonly clock: Clock,
    received: (channel: string, payload: string) => void,
  ) {
    this.client = new Client(clientConfig(settings));
    this.client.on('error', this.lose);
    this.client.on('end', this.lose);
    this.client.on('notification', ({ channel, payload = '' }) => received(channel, payload));
  }

  /** Connects, and listens to these channels. Rejects with EdgeError `storage_unavailable`. */
  async open(channels: readonly string[]): Promise<void> {
    try {
      await this.client.connect();
    } catch (cause) {
      throw connectFault(cause);
    }
    for (const channel of channels) await this.send(`LISTEN ${channel}`);
  }

  /** Runs a statement behind those before it. Rejects with EdgeError `storage_unavailable`; the session is lost then. */
  async send(statement: string): Promise<void> {
    const { connectMs } = this.settings;
    const late = () => new Error(`no answer within ${connectMs} ms`);
    const sent = this.answered.then(() =>
      withinDeadline(this.clock, connectMs, this.client.query(statement), late),
    );
    this.answered = sent.catch(this.lose);
    try {
      await sent;
    } catch (cause) {
      throw connectFault(cause);
    }
  }

  /** Resolves when the connection is lost. */
  async watch(): Promise<void> {
    while (!this.isLost) {
      await this.nextProbe();
      if (!this.isLost) await this.send('SELECT 1').catch(this.lose);
    }
  }

  /** Cuts the connection. Idempotent. */
  end(): void {
    this.lose();
  }

  private async nextProbe(): Promise<void> {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      timer = this.clock.after(PROBE_MS, resolve);
      this.wake = resolve;
    });
    timer?.cancel();
  }

  private readonly lose = () => {
    this.isLost = true;
    destroy(this.client);
    this.wake();
  };
}
