import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';

const WRITER = fileURLToPath(new URL('../../support/storageWriter.mjs', import.meta.url));

/**
 * Runs the writer (test/support/storageWriter.mjs) with these arguments, and kills it with SIGKILL as soon as it has reported so many
 * pairs. Gives the numbers of the pairs that it reported as durable.
 */
export async function writeUntilKilled(args: readonly string[], pairs: number): Promise<readonly number[]> {
  const writer = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(writer, 'exit');
  const reported: number[] = [];
  for await (const line of createInterface({ input: writer.stdout })) {
    reported.push(Number(line));
    if (reported.length === pairs) writer.kill('SIGKILL');
  }
  expect(await ended).toEqual([null, 'SIGKILL']);
  return reported;
}

/** That each reported pair is there, and of no pair only one half. */
export async function expectWholePairs(
  database: GatewayDatabase,
  reported: readonly number[],
): Promise<void> {
  const rows = await database.query('SELECT agent_id, id FROM notes ORDER BY id');
  const half = (name: string) => rows.filter(({ agent_id }) => agent_id === name).map(({ id }) => id);
  expect(half('first')).toEqual(half('second'));
  const there = new Set(half('first'));
  expect(reported.filter((number) => !there.has(number))).toEqual([]);
  expect(reported.length).toBeGreaterThan(0);
}
