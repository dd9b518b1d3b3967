import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CLI } from './program.js';
import { cleanEnvironment } from './runCli.js';
import { until } from './until.js';

/** `edge-agent gateway --demo` as a process: a gateway, a bot, a simulated Mac and an agent. */
export interface GatewayDemo {
  /** What it printed, line by line. */
  readonly lines: readonly string[];
  readonly url: string;
  /** A key with every right. */
  readonly key: string;
  /** The command that it printed. */
  readonly curl: string;
  /** Ann writes this. */
  type(line: string): void;
  /** Resolves once a line has this part. */
  shows(part: string): Promise<void>;
  /** Ends its input; resolves with the exit code, and with the files that it left. Idempotent. */
  end(): Promise<{ code: number | null; left: readonly string[] }>;
}

/** Starts it and waits until it is ready. Call `end` before the test is over. */
export async function startGatewayDemo(): Promise<GatewayDemo> {
  const home = mkdtempSync(join(tmpdir(), 'edge-gateway-demo-test-'));
  const child = spawn(process.execPath, [CLI, 'gateway', '--demo', '--port', '0'], {
    cwd: home,
    env: cleanEnvironment(home, { TMPDIR: home }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const shows = (part: string) =>
    until(
      () => lines.some((line) => line.includes(part)),
      () => `${part} in:\n${lines.join('\n')}`,
    );
  const end = async () => {
    child.stdin.end();
    const code = await exited;
    const left = existsSync(home) ? readdirSync(home) : [];
    rmSync(home, { recursive: true, force: true });
    return { code, left };
  };
  try {
    await shows('Ctrl-D ends it');
  } catch (error) {
    await end();
    throw error;
  }
  const found = (pattern: RegExp) => pattern.exec(lines.join('\n'))?.[1] ?? '';
  return {
    lines,
    url: found(/(http:\S+)\/console\//),
    key: found(/Bearer (eg_live_[\w-]+)/),
    curl: found(/^ {2}(curl .+)$/m),
    type: (line) => child.stdin.write(`${line}\n`),
    shows,
    end,
  };
}
