import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/logging/createLogger.js';
import type { RotationLimits } from '../../src/logging/LineFile.js';
import { FakeClock } from '../support/FakeClock.js';
import { PATIENCE_MS } from '../support/patience.js';
import { until } from '../support/until.js';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edge-log-'));
  directories.push(directory);
  return join(directory, 'edge-agent.log');
}

const LIMITS: RotationLimits = { maxBytes: 1_000, maxAgeMs: 0, keep: 3 };
const DAY_MS = 86_400_000;

function open(limits: Partial<RotationLimits> = {}, file = place(), clock = new FakeClock()) {
  const rotate = { ...LIMITS, ...limits };
  return { ...createLogger({ file, level: 'info', format: 'text', clock, rotate }), file, clock };
}
const files = (file: string) => readdirSync(dirname(file)).toSorted();
const text = (file: string) => readFileSync(file, 'utf8');
/** The numbers in the files, the oldest file first. */
function numbers(file: string): number[] {
  const all = files(file).filter((name) => /\.log(\.\d+)?$/.test(name));
  const oldestFirst = all.toSorted((a, b) => Number(b.split('.')[2] ?? 0) - Number(a.split('.')[2] ?? 0));
  return oldestFirst.flatMap((name) =>
    [...text(join(dirname(file), name)).matchAll(/ line (\d+) /g)].map(([, number]) => Number(number)),
  );
}
function logLines(log: ReturnType<typeof open>, from: number, count: number): void {
  for (let n = from; n < from + count; n += 1) log.logger.info(`line ${n} ${'x'.repeat(60)}`);
}
const count = (length: number) => Array.from({ length }, (_, index) => index);

describe('a log that grows', () => {
  test('is rotated by its size, keeps its name, and is bounded', () => {
    const log = open();
    logLines(log, 0, 100);
    const kept = numbers(log.file);
    expect(kept).toEqual(count(100).slice(-kept.length));
    expect(kept.length).toBeGreaterThan(25);
    expect(files(log.file)).toEqual(
      ['edge-agent.log', 'edge-agent.log.1', 'edge-agent.log.2', 'edge-agent.log.3'].toSorted(),
    );
    for (const name of files(log.file)) {
      const { mode, size } = statSync(join(dirname(log.file), name));
      expect(mode & 0o777, name).toBe(0o600);
      expect(size, name).toBeLessThanOrEqual(1_000);
    }
  });

  test('is bounded over restarts too, and after the bounds were lowered', () => {
    const file = place();
    for (let life = 0; life < 40; life += 1) {
      const log = open({}, file);
      logLines(log, life * 10, 10);
      log.close();
    }
    expect(files(file)).toHaveLength(4);
    expect(numbers(file).at(-1)).toBe(399);
    const log = open({ keep: 1 }, file);
    log.logger.info('line 400 !');
    expect(files(file)).toEqual(['edge-agent.log', 'edge-agent.log.1']);
    log.configure({ level: 'info', format: 'text', rotate: { ...LIMITS, keep: 3 } });
    logLines(log, 401, 30);
    log.configure({ level: 'info', format: 'text', rotate: { ...LIMITS, keep: 2 } });
    log.logger.info('line 500 !');
    expect(files(file)).toHaveLength(3);
  });

  test('is rotated by the age of its oldest line, of whichever run', () => {
    const clock = new FakeClock();
    const first = open({ maxAgeMs: 7 * DAY_MS }, place(), clock);
    first.logger.info('line 0 !');
    clock.advance(6 * DAY_MS);
    first.logger.info('line 1 !');
    first.close();
    const second = open({ maxAgeMs: 7 * DAY_MS }, first.file, clock);
    second.logger.info('line 2 !');
    expect(files(first.file)).toHaveLength(1);
    clock.advance(DAY_MS + 1);
    second.logger.info('line 3 !');
    expect(text(`${first.file}.1`)).toMatch(/line 0[\s\S]*line 1[\s\S]*line 2 !\n$/);
    expect(numbers(first.file)).toEqual([0, 1, 2, 3]);
  });

  test('is not rotated again for a clock that jumps, nor while it is empty', () => {
    const clock = new FakeClock();
    const log = open({ maxAgeMs: DAY_MS }, place(), clock);
    clock.jumpWall(30 * DAY_MS);
    log.logger.info('line 0 !');
    expect(files(log.file)).toHaveLength(1);
    clock.jumpWall(-60 * DAY_MS);
    log.logger.info('line 1 !');
    expect(files(log.file)).toHaveLength(1);
  });

  test('grows on where there is no room for the copy, and reports that once a minute', () => {
    const clock = new FakeClock();
    const log = open({}, place(), clock);
    mkdirSync(`${log.file}.rotating`);
    logLines(log, 0, 60);
    expect(numbers(log.file)).toEqual(count(60));
    expect(text(log.file).match(/The log could not be rotated/g)).toHaveLength(1);
    rmSync(`${log.file}.rotating`, { recursive: true });
    clock.advance(60_001);
    logLines(log, 60, 1);
    expect(numbers(log.file)).toEqual(count(61));
    expect(files(log.file)).toEqual(['edge-agent.log', 'edge-agent.log.1']);
  });

  test('is followed by tail -f and tail -F', async () => {
    const log = open();
    log.logger.info('line 0 !');
    for (const follow of ['-f', '-F']) {
      const tail = spawn('tail', [follow, '-n', '+1', log.file], { stdio: ['ignore', 'pipe', 'ignore'] });
      const seen: string[] = [];
      createInterface({ input: tail.stdout }).on('line', (line) => seen.push(line));
      try {
        await until(
          () => seen.length > 0,
          () => `tail ${follow} to begin`,
        );
        for (let round = 0; round < 3; round += 1) {
          const marker = `marker ${follow}${round}`;
          logLines(log, 0, 12);
          log.logger.info(marker);
          let writtenAt = performance.now();
          await until(
            () => {
              // As a log does, it continues: GNU tail looks again only when something happens.
              if (performance.now() - writtenAt > 1_000) {
                log.logger.info(marker);
                writtenAt = performance.now();
              }
              return seen.some((line) => line.includes(marker));
            },
            () => `tail ${follow} to show ${marker}`,
          );
        }
      } finally {
        tail.kill();
      }
    }
  });
});

describe('log rotation under kill', () => {
  const module = pathToFileURL(join(import.meta.dirname, '../../dist/logging/createLogger.js')).href;
  const preload = pathToFileURL(join(import.meta.dirname, '../support/killAtFileStep.mjs')).href;
  /** Logs numbered lines, each acknowledged on stdout once the logger has returned. */
  const script = (file: string, from: number, lines: number, maxBytes = 600) => `
    const { createLogger } = await import(${JSON.stringify(module)});
    const { writeSync } = await import('node:fs');
    const { logger } = createLogger({ file: ${JSON.stringify(file)}, level: 'info', format: 'text',
      rotate: { maxBytes: ${maxBytes}, maxAgeMs: 0, keep: 1000 } });
    for (let n = ${from}; n < ${from + lines}; n += 1) {
      logger.info('line ' + n + ' ' + 'x'.repeat(60));
      writeSync(1, n + '\\n');
    }`;

  /** Each acknowledged number is in a file, and none in more than two. */
  function expectNothingLost(file: string, acknowledged: readonly number[]): void {
    const found = new Map<number, number>();
    for (const number of numbers(file)) found.set(number, (found.get(number) ?? 0) + 1);
    expect(acknowledged.filter((number) => !found.has(number))).toEqual([]);
    expect(Math.max(...found.values())).toBeLessThanOrEqual(2);
    expect(existsSync(`${file}.rotating`)).toBe(false);
  }

  test('at each step no line is lost, and the next run completes the rotation', () => {
    const file = place();
    const note = join(dirname(file), 'killed-at');
    const acknowledged: number[] = [];
    const died = new Set<string>();
    let from = 0;
    for (let step = 1; step <= 10; step += 1) {
      rmSync(note, { force: true });
      const env = { ...process.env, KILL_AT_STEP: String(step), KILL_NOTE: note };
      const argv = ['--import', preload, '--input-type=module', '-e', script(file, from, 25)];
      const child = spawnSync(process.execPath, argv, { env, encoding: 'utf8', timeout: PATIENCE_MS });
      expect(child.signal, child.stderr).toBe('SIGKILL');
      died.add(text(note));
      const told = child.stdout.split('\n').filter(Boolean).map(Number);
      acknowledged.push(...told);
      from = (told.at(-1) ?? from) + 2;
    }
    expect([...died].toSorted()).toEqual([
      'copyFileSync',
      'fsyncSync',
      'renameSync',
      'rmSync',
      'truncateSync',
    ]);
    spawnSync(process.execPath, ['--input-type=module', '-e', script(file, 10_000, 1)]);
    expect(acknowledged.length).toBeGreaterThan(20);
    expectNothingLost(file, acknowledged);
  });

  test('at random moments no acknowledged line is lost', async () => {
    const file = place();
    const acknowledged: number[] = [];
    for (let life = 0; life < 5; life += 1) {
      const argv = ['--input-type=module', '-e', script(file, life * 100_000, 90_000, 4_000)];
      const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
      const told = createInterface({ input: child.stdout });
      const target = 150 + life * 67;
      let seen = 0;
      told.on('line', (line) => {
        acknowledged.push(Number(line));
        seen += 1;
        if (seen === target) child.kill('SIGKILL');
      });
      await Promise.all([
        new Promise((resolve) => child.on('close', resolve)),
        new Promise((resolve) => told.on('close', resolve)),
      ]);
    }
    spawnSync(process.execPath, ['--input-type=module', '-e', script(file, 900_000, 1)]);
    expect(acknowledged.length).toBeGreaterThan(500);
    expectNothingLost(file, acknowledged);
  });

  test('a crash between renaming and truncation is completed at the next start', () => {
    const file = place();
    writeFileSync(file, '[2026-01-01T00:00:00.000Z] [INFO] line 0 !\n');
    writeFileSync(`${file}.1`, '[2026-01-01T00:00:00.000Z] [INFO] line 0 !\n');
    writeFileSync(`${file}.rotating`, 'half');
    const log = open({}, file);
    expect(numbers(file)).toEqual([0, 0]);
    log.logger.info('line 1 !');
    expect(numbers(file)).toEqual([0, 1]);
    expect(files(file)).toEqual(['edge-agent.log', 'edge-agent.log.1']);
  });
});
