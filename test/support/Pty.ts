import { type IPty, spawn } from '@lydell/node-pty';
import { CLI, type Place } from './program.js';
import { until } from './until.js';

/** The command at a terminal of its own. End it with `dispose` when the test is over. */
export class Pty {
  readonly exited: Promise<number>;
  private out = '';
  private hasEnded = false;

  private constructor(private readonly terminal: IPty) {
    terminal.onData((data) => {
      this.out += data;
    });
    this.exited = new Promise((resolve) => {
      terminal.onExit(({ exitCode }) => {
        this.hasEnded = true;
        resolve(exitCode);
      });
    });
  }

  static run(args: readonly string[], place: Place, size: { cols?: number; rows?: number } = {}): Pty {
    const { cwd, env } = place;
    const { cols = 80, rows = 40 } = size;
    const given = { ...env, TERM: 'xterm' } as Record<string, string>;
    return new Pty(spawn(process.execPath, [CLI, ...args], { cwd, env: given, cols, rows }));
  }

  /** Everything that came to the terminal. */
  get text(): string {
    return this.out;
  }

  /** What came since the screen was last drawn from its first line on. */
  get lastScreen(): string {
    return this.out.slice(this.out.lastIndexOf('\u001b[H'));
  }

  type(keys: string): void {
    this.terminal.write(keys);
  }

  /** Resolves when what came to the terminal (or the last screen) is as it should be. */
  shows(what: RegExp | string, where: 'text' | 'lastScreen' = 'text'): Promise<void> {
    const fits = () => (typeof what === 'string' ? this[where].includes(what) : what.test(this[where]));
    return until(fits, () => `${what} at the terminal; it shows ${JSON.stringify(this.out.slice(-2000))}`);
  }

  dispose(): void {
    if (!this.hasEnded) this.terminal.kill('SIGKILL');
  }
}
