import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Where a program runs. */
export interface Place {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Whose process it is; our own user's unless given. */
  uid?: number;
}

/** How a program ended: by itself with a code, or by a signal. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The events of a running program, in order; there are none after the end. */
export interface ProgramEvents {
  stdout(text: string): void;
  stderr(text: string): void;
  ended(exit: Exit): void;
  failed(error: Error): void;
}

export interface StartedProgram {
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
}

/** The command as it is shipped. */
export const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Starts `edge-agent` as a process of its own. `through`: a command that becomes it, with its arguments. */
export function startFresh(
  args: readonly string[],
  place: Place,
  told: ProgramEvents,
  through: readonly string[] = [],
): StartedProgram {
  const [program = '', ...before] = [...through, process.execPath];
  const child = spawn(program, [...before, CLI, ...args], { ...place, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.setEncoding('utf8').on('data', told.stdout);
  child.stderr.setEncoding('utf8').on('data', told.stderr);
  child.on('error', told.failed);
  child.on('close', (code, signal) => told.ended({ code, signal }));
  return { pid: child.pid, kill: (signal) => child.kill(signal) };
}
