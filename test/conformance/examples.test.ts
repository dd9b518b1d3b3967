import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { page, ROOT } from '../docs/page.js';
import { failures, judgeBackend, SECRET, withVerdict } from './judgeBackend.js';

/** Starts an example as its first lines say; resolves with its address. */
async function start(program: string, file: string): Promise<string> {
  const env = { PATH: process.env.PATH, EDGE_SECRET: SECRET, PORT: '0' };
  const child = spawn(program, [join(ROOT, 'examples', file)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\S+/.exec(line)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error(`${file} ended before it listened`);
}

async function expectConformance(url: string): Promise<void> {
  const results = await judgeBackend(url);
  expect(failures(results)).toEqual([]);
  expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
}

test('the example for Node passes every check', async () => {
  await expectConformance(await start(process.execPath, 'minimal-node.mjs'));
});

test('the example for Node is short enough to be read at once, and needs ws alone', () => {
  const text = page('examples/minimal-node.mjs');
  expect(text.trimEnd().split('\n').length).toBeLessThan(120);
  const packages = [...text.matchAll(/from '([^']+)'/g)].map(([, name = '']) => name);
  expect(packages.filter((name) => !name.startsWith('node:'))).toEqual(['ws']);
});

const python = spawnSync('python3', ['-c', 'import asyncio, hashlib, hmac'], { stdio: 'ignore' });
const without = python.status === 0 ? '' : ' (SKIPPED: there is no python3 here)';
if (without !== '') process.stderr.write(`The example for Python was NOT judged${without}\n`);

test.skipIf(without !== '')(`the example for Python passes every check${without}`, async () => {
  await expectConformance(await start('python3', 'minimal_python.py'));
});
