import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/logging/createLogger.js';
import { FakeClock } from '../support/FakeClock.js';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function open() {
  const clock = new FakeClock(Date.UTC(2025, 10, 5));
  const directory = mkdtempSync(join(tmpdir(), 'edge-log-'));
  directories.push(directory);
  const file = join(directory, 'edge-agent.log');
  const log = createLogger({ file, level: 'info', format: 'text', clock });
  const words = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.slice(27));
  return { ...log, clock, words };
}

describe('a fault that repeats', () => {
  test('is logged five times, then once a minute with its count, until it is over', () => {
    const { logger, clock, words } = open();
    const fault = (id: number) => logger.warn('No answer', { cause: 'timeout', message: `m${id}` });
    for (let id = 0; id < 46; id += 1) fault(id);
    expect(words()).toHaveLength(5);
    clock.advance(60_000);
    expect(words().at(-1)).toBe('[WARN] No answer … 41 more in 60 s cause=timeout');
    fault(46);
    clock.advance(60_000);
    expect(words().at(-1)).toBe('[WARN] No answer … 1 more in 60 s cause=timeout');
    clock.advance(60_000);
    expect(words()).toHaveLength(7);
    expect(clock.pending).toBe(0);
    fault(47);
    expect(words().at(-1)).toBe('[WARN] No answer cause=timeout message=m47');
  });

  test('hides no other fault, no other cause of the same fault, and no change of state', () => {
    const { logger, words } = open();
    for (let id = 0; id < 50; id += 1) logger.error('It is down', { code: 'a' });
    logger.error('It is down', { code: 'b' });
    logger.error('It is down for good', { code: 'a' });
    logger.info('It is up');
    for (let id = 0; id < 50; id += 1) logger.info('A message', { code: 'a' });
    expect(words().slice(5, 8)).toEqual([
      '[ERROR] It is down code=b',
      '[ERROR] It is down for good code=a',
      '[INFO] It is up',
    ]);
    expect(words()).toHaveLength(58);
  });

  test('is logged to its end when the log is closed, and leaves no timer', () => {
    const { logger, clock, words, close } = open();
    for (let id = 0; id < 7; id += 1) logger.warn('No answer');
    close();
    expect(words().at(-1)).toBe('[WARN] No answer … 2 more in 60 s');
    expect(clock.pending).toBe(0);
  });

  test('does not count while its level is not written', () => {
    const { logger, words, configure } = open();
    configure({ level: 'error', format: 'text' });
    for (let id = 0; id < 7; id += 1) logger.warn('No answer');
    configure({ level: 'warn', format: 'json' });
    logger.warn('No answer');
    expect(words()).toHaveLength(1);
  });
});
