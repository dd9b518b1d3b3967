import { PATIENCE_MS } from './patience.js';
import { type Place, type ProgramEvents, type StartedProgram, startFresh } from './program.js';
import { startWarm } from './WarmProgram.js';

export interface CliResult {
  /** Null if it had to be killed. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** An environment in which nothing of the developer's own counts. */
export function cleanEnvironment(home: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { PATH, TMPDIR } = process.env;
  return { PATH, TMPDIR, HOME: home, NO_COLOR: '1', ...more };
}

/** Runs the command to its end, in a process that may have run it before; kills it when it takes longer, in ms. */
export function runCli(args: readonly string[], place: Place, longestMs = PATIENCE_MS): Promise<CliResult> {
  return toItsEnd((told) => startWarm(args, place, told), longestMs);
}

/** As `runCli`, in a process of its own: where that is what is tested. */
export function runFreshCli(args: readonly string[], place: Place): Promise<CliResult> {
  return toItsEnd((told) => startFresh(args, place, told), PATIENCE_MS);
}

function toItsEnd(start: (told: ProgramEvents) => StartedProgram, longestMs: number): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    const program = start({
      stdout: (text) => {
        stdout += text;
      },
      stderr: (text) => {
        stderr += text;
      },
      failed: reject,
      ended: ({ code }) => {
        clearTimeout(deadline);
        resolve({ exitCode: code, stdout, stderr });
      },
    });
    const deadline = setTimeout(() => program.kill('SIGKILL'), longestMs);
  });
}
