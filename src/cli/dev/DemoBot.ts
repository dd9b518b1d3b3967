import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EdgeError } from '../../errors.js';
import { environment } from '../../system/environment.js';
import { PACKAGE_ROOT } from '../../system/packageRoot.js';

/** The bot of examples/bot.mjs, as a process of its own. */
export class DemoBot {
  private constructor(
    private readonly child: ChildProcess,
    /** Where it listens. */
    readonly url: string,
  ) {}

  /** `secret`: that of its webhook. Rejects with EdgeError if it does not start. */
  static async start(secret: string): Promise<DemoBot> {
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'examples', 'bot.mjs')], {
      env: { PATH: environment().PATH, PORT: '0', WEBHOOK_SECRET: secret },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Ends with its output at the latest, so with the process.
    for await (const line of createInterface({ input: child.stdout })) {
      const [url] = /http:\S+/.exec(line) ?? [];
      if (url === undefined) continue;
      child.stdout.resume();
      return new DemoBot(child, url);
    }
    throw new EdgeError('internal', 'examples/bot.mjs ended before it listened.');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}
