import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { GatewaySettings } from '../../src/gateway/gatewaySettings.js';
import type { Cleanup } from '../support/EdgeWorld.js';

export const GATEWAY_CHILD = fileURLToPath(new URL('../support/gatewayChild.mjs', import.meta.url));

/** Where a gateway is to die: right before or after the nth commit of a transaction with such a statement. */
export interface GatewayKill {
  readonly statement: string;
  readonly phase: 'before' | 'after';
  readonly nth: number;
}

/** The durable steps of the gateway with an agent, each known by a statement of its transaction. */
export const GATEWAY_STEPS = {
  'a socket is claimed': '^INSERT INTO connections',
  'a status is kept': '^INSERT INTO agent_statuses',
  'a text is ordered': '^INSERT INTO commands ',
  'an ack is kept': '^UPDATE commands SET ack',
  'a message is taken': '^INSERT INTO inbox',
  'a message is answered': '^UPDATE inbox SET answer',
  'an event is kept': '^INSERT INTO agent_events',
  'a file is kept': '^INSERT INTO uploads',
};

/** Those with an application. */
export const APPLICATION_STEPS = {
  'an idempotency key is taken': '^INSERT INTO idempotency_keys',
  'an event is published': '^(WITH stored AS \\(\\s*)?INSERT INTO event_log',
  'a lane is leased': '^WITH due AS',
  'an attempt is noted': '^UPDATE webhook_deliveries',
};

/** A gateway as a child process, which is gone when the test is over, or this process. */
export class GatewayProcess {
  readonly exited: Promise<unknown>;

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {
    this.exited = once(child, 'exit').then(([code, signal]) => signal ?? code);
  }

  static async start(
    { onTestFinished }: Cleanup,
    settings: GatewaySettings,
    killAt?: GatewayKill,
    /** Where its log goes; unless given, to ours. */
    stderr: number | 'inherit' = 'inherit',
  ): Promise<GatewayProcess> {
    const order = { settings: { ...settings, key: settings.key.toString('base64') }, killAt };
    const child = spawn(process.execPath, [GATEWAY_CHILD, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', stderr, 'ipc'],
    });
    onTestFinished(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    const { stdout } = child;
    if (stdout === null) throw new Error('unreachable: it is a pipe');
    const lines = createInterface({ input: stdout });
    const [port] = await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => {
        throw new Error('the gateway did not start');
      }),
    ]);
    return new GatewayProcess(child, Number(port));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** Has it stop in order. */
  terminate(): void {
    this.child.kill('SIGTERM');
  }
}
