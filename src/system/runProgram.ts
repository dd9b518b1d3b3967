import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from './clock.js';
import { systemCode } from './failures.js';

/** How a program ended. `notStarted`: nothing ran; `timedOut`: it ran, was killed, and what it printed is lost. */
export type ProgramEnd =
  | { readonly kind: 'ended'; readonly code: number | null; readonly stdout: string; readonly stderr: string }
  | { readonly kind: 'notStarted'; readonly message: string; readonly systemCode?: string | undefined }
  | { readonly kind: 'timedOut' };

interface RunOptions {
  /** What the program inherits: of `childEnvironment`. */
  readonly env: NodeJS.ProcessEnv;
  /** It is killed this many ms after its start. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Ends the program early. */
  readonly signal?: AbortSignal;
}

/** More than any program that we ask prints; the rest is dropped, in characters. */
const MOST_OUTPUT = 256 * 1024;

/**
 * Runs a program to its end, without a shell and with nothing on stdin. Never rejects; resolves at the latest when its
 * time is over, even if what it started keeps its output open. Its output is for us, not for a log: it may name people.
 */
export function runProgram(path: string, args: readonly string[], options: RunOptions): Promise<ProgramEnd> {
  const { env, timeoutMs, clock, signal } = options;
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(path, args, { env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      resolve({ kind: 'notStarted', message: describe(path, error), systemCode: systemCode(error) });
      return;
    }
    let exit: { code: number | null } | undefined;
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    const end = (result: ProgramEnd) => {
      timer.cancel();
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(result);
    };
    const ended = (code: number | null): ProgramEnd => ({
      kind: 'ended',
      code,
      stdout: stdout(),
      stderr: stderr(),
    });
    const timer = clock.after(timeoutMs, () => {
      if (exit !== undefined) return end(ended(exit.code));
      child.kill('SIGKILL');
      end({ kind: 'timedOut' });
    });
    child.on('error', (error) => {
      if (child.pid === undefined) {
        end({ kind: 'notStarted', message: describe(path, error), systemCode: systemCode(error) });
      }
    });
    child.on('exit', (code) => {
      exit = { code };
    });
    child.on('close', (code) => end(ended(code)));
  });
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    if (text.length < MOST_OUTPUT) text += chunk;
  });
  return () => text.slice(0, MOST_OUTPUT);
}

function describe(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ENOENT' ? `there is no ${path}` : `${path} cannot be started (${code})`;
}
