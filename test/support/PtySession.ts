import { type IPty, spawn } from '@lydell/node-pty';
import { CLI, type Place } from './program.js';
import { until } from './until.js';

/** What moves a terminal's cursor or colours it: CSI and OSC sequences. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what it is about
const CONTROL = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;

/** The command in a terminal of its own, at which a test sits: it reads what is shown, and types. */
export class PtySession {
  private raw = '';
  private ended: { exitCode: number; signal?: number } | undefined;

  private constructor(private readonly pty: IPty) {
    pty.onData((data) => {
      this.raw += data;
    });
    pty.onExit((exit) => {
      this.ended = exit;
    });
  }

  /** Runs the command, or another script. */
  static open(args: readonly string[], { cwd, env }: Place, script = CLI): PtySession {
    // Wide enough that no path breaks a line, wherever the temporary directory is.
    const term = { name: 'xterm', cols: 300, rows: 40 };
    return new PtySession(
      spawn(process.execPath, [script, ...args], { ...term, cwd, env: { ...env, TERM: 'xterm' } }),
    );
  }

  /** The id of its process. */
  get pid(): number {
    return this.pty.pid;
  }

  /** Everything that was ever shown, without what only moves the cursor. */
  get shown(): string {
    return this.raw.replace(CONTROL, '');
  }

  /** Resolves when that has been shown; rejects with what was shown instead. */
  async sees(words: string): Promise<void> {
    await until(
      () => this.shown.includes(words) || this.ended !== undefined,
      () => `"${words}"; shown: ${this.shown.slice(-600)}`,
    );
    if (!this.shown.includes(words))
      throw new Error(`it ended without "${words}": ${this.shown.slice(-600)}`);
  }

  type(text: string): void {
    this.pty.write(text);
  }

  enter(text = ''): void {
    this.type(`${text}\r`);
  }

  interrupt(): void {
    this.type('\u0003');
  }

  /** Resolves with the exit code when it has ended. */
  async exits(): Promise<number> {
    await until(
      () => this.ended !== undefined,
      () => `its end; shown: ${this.shown.slice(-600)}`,
    );
    return this.ended?.exitCode ?? -1;
  }

  /** Ends it, if it has not ended. */
  dispose(): void {
    if (this.ended === undefined) this.pty.kill('SIGKILL');
  }
}
