import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from './patience.js';

/** The command as it is shipped. */
export const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Place {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Whose process it is; our own user's unless given. */
  uid?: number;
}

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

/** Runs the command to its end; kills it when it takes longer, in ms. */
export function runCli(args: readonly string[], place: Place, longestMs = PATIENCE_MS): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { ...place, stdio: ['ignore', 'pipe', 'pipe'] });
    const deadline = setTimeout(() => child.kill('SIGKILL'), longestMs);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearTimeout(deadline);
      resolve({ exitCode, stdout, stderr });
    });
  });
}
