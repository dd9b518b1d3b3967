import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'vitest';
import { ROOT } from '../docs/page.js';

/** The programs in `examples/`, each with what runs it. */
export const EXAMPLES = {
  'minimal-node.mjs': process.execPath,
  'minimal_python.py': 'python3',
  'bot.mjs': process.execPath,
  'bot.py': 'python3',
};

/** The message if an example cannot be run: a skipped test must be visible. Empty if it can. */
export function missingProgram(file: keyof typeof EXAMPLES): string {
  if (spawnSync(EXAMPLES[file], ['--version'], { stdio: 'ignore' }).status === 0) return '';
  const words = ` (SKIPPED: there is no ${EXAMPLES[file]} here)`;
  process.stderr.write(`examples/${file} was NOT tried${words}\n`);
  return words;
}

/**
 * Starts an example on a free port, with its secret in the environment; resolves with its address, from its first line.
 * `onComplaint` gets its stderr. Ended with the test.
 */
export async function startExample(
  file: keyof typeof EXAMPLES,
  secret: { EDGE_SECRET: string } | { WEBHOOK_SECRET: string },
  context: Pick<TestContext, 'onTestFinished'>,
  onComplaint: (line: string) => void = () => undefined,
): Promise<string> {
  const env = { PATH: process.env.PATH, PORT: '0', ...secret };
  const path = join(ROOT, 'examples', file);
  const child = spawn(EXAMPLES[file], [path], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  createInterface({ input: child.stderr }).on('line', onComplaint);
  context.onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\S+/.exec(line)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error(`${file} ended before it listened`);
}
