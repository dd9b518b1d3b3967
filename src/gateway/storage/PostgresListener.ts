import { describeError, EdgeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock } from '../../system/clock.js';
import type { Random } from '../../system/random.js';
import { waitFor } from '../../system/waitFor.js';
import type { StopListening } from './GatewayDatabase.js';
import { LocalChannels, safely } from './LocalChannels.js';
import type { ConnectSettings } from './PostgresClient.js';
import { PostgresListeningSession } from './PostgresListeningSession.js';
import { withinDeadline } from './withinDeadline.js';

/** The longest pauses between attempts to connect, in ms: before the second, doubled up to the last; each is shortened by chance. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

interface ListenerParts {
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Keeps a connection for notifications: made when someone first listens, and again whenever it is lost. */
export class PostgresListener {
  private readonly channels: LocalChannels;
  private readonly missed = new Set<() => void>();
  /** The one that listens now. */
  private session: PostgresListeningSession | undefined;
  /** Those who wait for it. */
  private waiting: (() => void)[] = [];
  private running: Promise<void> | undefined;
  private isClosed = false;
  /** Ends what the loop waits for. */
  private interrupt: () => void = () => undefined;

  constructor(
    private readonly settings: ConnectSettings,
    private readonly parts: ListenerParts,
  ) {
    this.channels = new LocalChannels(parts.log);
  }

  /** As `GatewayDatabase.listen`. */
  async listen(
    channel: string,
    received: (payload: string) => void,
    missed: () => void,
  ): Promise<StopListening> {
    const { connectMs } = this.settings;
    // Each call is a separate listener, even with the same functions.
    const hear = (payload: string) => received(payload);
    const miss = () => missed();
    let isWanted = true;
    const stop = async () => {
      isWanted = false;
      this.missed.delete(miss);
      const wasLast = this.channels.remove(channel, hear);
      if (wasLast) await this.session?.send(`UNLISTEN ${channel}`).catch(this.noteLoss);
    };
    this.channels.add(channel, hear);
    this.running ??= this.run();
    const late = () =>
      new EdgeError('storage_unavailable', `No connection to listen on within ${connectMs} ms.`);
    try {
      await withinDeadline(
        this.parts.clock,
        connectMs,
        this.subscribe(channel, () => isWanted),
        late,
      );
    } catch (error) {
      await stop();
      throw error;
    }
    this.missed.add(miss);
    return stop;
  }

  /** Ends the connection. Idempotent. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.interrupt();
    this.letGo();
    await this.running;
  }

  private async subscribe(channel: string, isWanted: () => boolean): Promise<void> {
    while (isWanted() && !this.isClosed) {
      const { session } = this;
      if (session === undefined) await new Promise<void>((resolve) => this.waiting.push(resolve));
      else if (await session.send(`LISTEN ${channel}`).then(() => true, this.noteLoss)) return;
    }
    throw new EdgeError('storage_unavailable', 'The database is closed.');
  }

  private async run(): Promise<void> {
    let hadOne = false;
    for (let failures = 0; !this.isClosed; failures += 1) {
      if (await this.listenUntilLost(hadOne)) {
        hadOne = true;
        failures = 0;
        if (!this.isClosed) this.parts.log.warn('The connection for notifications was lost; reconnecting');
      }
      if (!this.isClosed) await this.pause(failures);
    }
  }

  /** Whether there was a connection. */
  private async listenUntilLost(isRepeated: boolean): Promise<boolean> {
    const { clock, log } = this.parts;
    const session = new PostgresListeningSession(this.settings, clock, (channel, payload) =>
      this.channels.notify(channel, payload),
    );
    this.interrupt = () => session.end();
    try {
      await session.open(this.channels.names);
    } catch (error) {
      this.noteLoss(error);
      session.end();
      return false;
    }
    this.session = session;
    if (isRepeated) {
      log.info('The connection for notifications is back');
      for (const miss of this.missed) safely(log, miss);
    }
    this.letGo();
    await session.watch();
    this.session = undefined;
    return true;
  }

  private async pause(failures: number): Promise<void> {
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures, 10), LONGEST_PAUSE_MS);
    const pause = waitFor(this.parts.clock, longest * (0.5 + this.parts.random() / 2));
    const interrupted = new Promise<void>((resolve) => {
      this.interrupt = resolve;
    });
    await Promise.race([pause.over, interrupted]);
    pause.cancel();
  }

  private letGo(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const go of waiting) go();
  }

  private readonly noteLoss = (error: unknown): false => {
    this.parts.log.debug('No connection to listen on', { reason: describeError(error) });
    return false;
  };
}
