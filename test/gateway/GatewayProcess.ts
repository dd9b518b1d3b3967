import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';
import type { GatewaySettings } from '../../src/gateway/gatewaySettings.js';

const CHILD = fileURLToPath(new URL('../support/gatewayChild.mjs', import.meta.url));

/** Where a gateway is to die: right before or after the nth commit of a transaction with such a statement. */
export interface GatewayKill {
  readonly statement: string;
  readonly phase: 'before' | 'after';
  readonly nth: number;
}

/** A gateway as a child process, which is gone when the test is over. */
export class GatewayProcess {
  readonly exited: Promise<unknown>;

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {
    this.exited = once(child, 'exit').then(([code, signal]) => signal ?? code);
  }

  static async start(
    { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
    settings: GatewaySettings,
    killAt?: GatewayKill,
  ): Promise<GatewayProcess> {
    const order = { settings: { ...settings, key: settings.key.toString('base64') }, killAt };
    const child = spawn(process.execPath, [CHILD, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    const lines = createInterface({ input: child.stdout });
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
}
