import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { EdgeError } from '../../src/errors.js';
import { createLogger, type LogOptions } from '../../src/logging/createLogger.js';
import { anyText } from '../support/anyText.js';
import { FakeClock } from '../support/FakeClock.js';
import { PATIENCE_MS } from '../support/patience.js';

const clock = new FakeClock(Date.UTC(2025, 10, 5, 20, 35, 13, 500));
const directory = mkdtempSync(join(tmpdir(), 'edge-log-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const place = () => join(mkdtempSync(join(directory, 'of-')), 'state', 'edge-agent.log');
const open = (options: Partial<LogOptions> = {}) => {
  const file = options.file ?? place();
  const log = createLogger({ level: 'info', format: 'text', clock, ...options, file });
  return {
    ...log,
    file,
    text: () => readFileSync(file, 'utf8'),
    lines: () => readFileSync(file, 'utf8').split('\n').slice(0, -1),
  };
};
/** Runs `script` in a process of its own, with an open log; what hangs is killed. Gives its output. */
const runChild = (file: string, script: string, before = '') => {
  const module = join(import.meta.dirname, '../../dist/logging/createLogger.js');
  if (!existsSync(module)) throw new Error('build first: npx tsc -p src/tsconfig.json');
  const opening = `const { createLogger } = await import(${JSON.stringify(module)});
    const { logger, close } = createLogger({ file: ${JSON.stringify(file)}, level: 'info', format: 'text' });`;
  const command = `${before} exec "$0" --input-type=module -e "$1"`;
  return execFileSync('/bin/bash', ['-c', command, process.execPath, opening + script], {
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
  });
};
function replaceByAnother(file: string): void {
  writeFileSync(`${file}.other`, '', { mode: 0o644 });
  renameSync(`${file}.other`, file);
}

/** A console that remembers, or fails as a closed pipe does. */
class Console extends Writable {
  text = '';
  failing = false;
  override _write(chunk: Buffer, _: string, done: (error?: Error) => void) {
    if (this.failing) done(new Error('EPIPE'));
    else {
      this.text += chunk.toString();
      done();
    }
  }
}

test('a text line is exactly time, level, message and fields', () => {
  const { logger, text } = open({ level: 'debug' });
  logger.info('Command delivery: Real-time via WebSocket 🚀');
  logger.warn('waiting', {
    attempt: 3,
    cause: 'going away',
    ok: false,
    none: null,
    unset: undefined,
    empty: '',
  });
  logger.debug('quoted', { a: 'x"y', b: 'k=v', c: 'a\\b' });
  logger.error('bad');
  expect(text()).toBe(
    [
      '[2025-11-05T20:35:13.500Z] [INFO] Command delivery: Real-time via WebSocket 🚀',
      '[2025-11-05T20:35:13.500Z] [WARN] waiting attempt=3 cause="going away" ok=false none=null empty=""',
      '[2025-11-05T20:35:13.500Z] [DEBUG] quoted a="x\\"y" b="k=v" c="a\\\\b"',
      '[2025-11-05T20:35:13.500Z] [ERROR] bad',
      '',
    ].join('\n'),
  );
});

test('a json line is one object, and no field can take the place of time, level or message', () => {
  const { logger, lines } = open({ format: 'json' });
  logger.warn('hello', {
    attempt: 3,
    ok: true,
    time: 'x',
    level: 'y',
    msg: 'z',
    err: 'e',
    none: null,
    unset: undefined,
  });
  expect(JSON.parse(lines()[0] ?? '')).toEqual({
    time: '2025-11-05T20:35:13.500Z',
    level: 'warn',
    msg: 'hello',
    attempt: 3,
    ok: true,
    time_: 'x',
    level_: 'y',
    msg_: 'z',
    err: 'e',
    none: null,
  });
});

test('whatever is logged, one event is one line without control characters', () => {
  for (const format of ['text', 'json'] as const) {
    const { logger, lines, text } = open({ format });
    let count = 0;
    fc.assert(
      fc.property(anyText(), anyText(), (message, value) => {
        logger.info(message, { value });
        count += 1;
      }),
    );
    logger.info('a\nb\r\nc\u2028d\u001b[31m%s %d', { v: '\n' });
    expect(lines()).toHaveLength(count + 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
    expect(text()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
    if (format === 'json') for (const line of lines()) JSON.parse(line);
    else expect(lines().at(-1)).toContain('a\\nb\\r\\nc\\u2028d\\u001b[31m%s %d v="\\n"');
  }
});

test('the level is respected and can be changed while running', () => {
  const { logger, lines, configure } = open({ level: 'warn' });
  logger.info('no');
  configure({ level: 'debug', format: 'text' });
  logger.debug('yes');
  configure({ level: 'error', format: 'text' });
  logger.warn('no');
  expect(lines().map((line) => line.split('] ').at(-1))).toEqual(['yes']);
});

test('lines are appended, in the file when the call returns, and on the console too', () => {
  const file = place();
  open({ file }).logger.info('first');
  const console = new Console();
  const { logger, lines } = open({ file, console });
  logger.info('second');
  expect(lines()).toHaveLength(2);
  expect(console.text).toBe('[2025-11-05T20:35:13.500Z] [INFO] second\n');
});

test('a process that is killed leaves every line it logged', () => {
  const file = place();
  const script = `for (let i = 0; i < 500; i += 1) logger.info('line ' + i);
    process.kill(process.pid, 'SIGKILL');`;
  expect(() => runChild(file, script)).toThrowError();
  expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(500);
});

test('file and directories are private to the owner, an existing file becomes so', () => {
  const { file } = open();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
  const old = join(directory, 'old.log');
  writeFileSync(old, 'before\n', { mode: 0o644 });
  const { logger, lines } = open({ file: old });
  logger.info('after');
  expect(statSync(old).mode & 0o777).toBe(0o600);
  expect(lines()[0]).toBe('before');
});

describe('a log that cannot be opened is reported with a remedy', () => {
  const blocked = place();
  mkdirSync(blocked, { recursive: true });
  test.each([
    ['a directory in its place', blocked],
    ['a file above it', join('/dev/null', 'x', 'a.log')],
  ])('%s', (_, file) => {
    let error: unknown;
    try {
      open({ file });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(EdgeError);
    expect(error).toMatchObject({
      code: 'state_unwritable',
      message: expect.stringContaining(file),
      remedy: expect.stringMatching(/\w/),
    });
  });
});

describe('secrets never reach a line', () => {
  test.each(['text', 'json'] as const)('%s', (format) => {
    const secret = 'p$1"w\\x/y z';
    const { logger, text, redact } = open({ format, redact: [secret, '471100', '', 'p$1"w\\x'] });
    logger.info(`raw ${secret}, json ${JSON.stringify({ secret })}, url ${encodeURIComponent(secret)}`, {
      field: `<${secret}>`,
      number: 471_100,
      [secret]: 'as a key',
    });
    redact(['later-secret']);
    logger.info('later-secret');
    expect(text()).not.toMatch(/p\$1|p%241|x\/y|4711|later/);
    expect(text().match(/\[secret\]/g)).toHaveLength(7);
    expect(text().split('\n')).toHaveLength(3);
  });

  test('nor does half of one at the end of a cut text', () => {
    const { logger, text } = open({ redact: ['sesame-open'] });
    logger.info(`${'x'.repeat(16_380)}sesame-open${'y'.repeat(1000)}`);
    expect(text()).not.toContain('sesame');
    expect(text()).toMatch(/characters more\)\n$/);
  });

  test('a one-letter secret does not break the lines', () => {
    const { logger, lines } = open({ format: 'json', redact: ['e', '"', 's'] });
    logger.info('see "this"', { level2: 'yes' });
    expect(JSON.parse(lines()[0] ?? '')).toMatchObject({ level: 'info' });
  });
});

describe('a failing write never reaches the program', () => {
  test.skipIf(!existsSync('/dev/full'))('a full disk neither throws nor blocks the program', () => {
    const script = `for (let i = 0; i < 5000; i += 1) logger.info('x'.repeat(100), { i });
      close();
      close();
      logger.info('after the end');
      console.log('alive');`;
    expect(runChild('/dev/full', script)).toBe('alive\n');
  });

  test('lines kept while the disk was full are written in order, then how many were lost', () => {
    // A limit on the file's size simulates the full disk: writing beyond it fails until the file is shortened.
    const file = place();
    const script = `process.on('SIGXFSZ', () => {});
      for (let i = 0; i < 6000; i += 1) logger.info('line ' + i + ' ' + 'x'.repeat(100));
      (await import('node:fs')).truncateSync(${JSON.stringify(file)}, 0);
      logger.info('room again');
      logger.info('and on');`;
    runChild(file, script, 'ulimit -f 300;');
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const kept = lines.flatMap((line) => / line (\d+) /.exec(line)?.[1] ?? []).map(Number);
    expect(kept.length).toBeGreaterThan(500);
    expect(kept).toEqual(kept.map((_, index) => (kept[0] ?? 0) + index));
    expect(lines.slice(-3).map((line) => line.slice(27))).toEqual([
      '[INFO] room again',
      expect.stringMatching(/^\[WARN\] \d+ log lines were lost: EFBIG/),
      '[INFO] and on',
    ]);
    expect((kept.at(-1) ?? 0) + Number(/(\d+) log lines/.exec(lines.at(-2) ?? '')?.[1])).toBe(5999);
  });

  test('a console that goes away: the file continues alone', async () => {
    const console = new Console();
    const { logger, lines, close } = open({ console });
    console.failing = true;
    logger.info('one');
    await new Promise((resolve) => console.once('close', resolve));
    logger.info('two');
    expect(lines()).toHaveLength(2);
    expect(console.text).toBe('');
    close();
    expect(console.listenerCount('error')).toBe(0);
  });

  test('a clock beyond any date', () => {
    const { logger, lines } = open({
      clock: { now: () => Number.NaN, monotonic: () => 0, after: clock.after },
    });
    logger.info('still here');
    expect(lines()).toEqual(['[unknown time] [INFO] still here']);
  });
});

test('after close nothing is written', () => {
  const { logger, text, close } = open();
  logger.info('before');
  close();
  close();
  logger.error('after');
  expect(text()).toMatch(/before\n$/);
});

describe('a log that is removed', () => {
  test.for([
    ['removed', (file: string) => rmSync(file)],
    ['removed with its folder', (file: string) => rmSync(dirname(file), { recursive: true })],
    ['renamed', (file: string) => renameSync(file, `${file}.elsewhere`)],
    ['replaced', replaceByAnother],
  ] as const)('and is %s is recreated in its place, private, within a second', ([, takeAway]) => {
    const own = new FakeClock();
    const { logger, file, text, close } = open({
      clock: own,
      rotate: { maxBytes: 1e6, maxAgeMs: 0, keep: 1 },
    });
    for (const line of ['first', 'second']) {
      logger.info(`${line} before`);
      takeAway(file);
      own.advance(1_000);
      logger.info(`${line} after`);
      expect(text()).toMatch(new RegExp(`new one\n.*${line} after\n$`));
      expect(text()).not.toContain('before');
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    close();
  });

  test('that cannot be recreated yet is recreated as soon as it can', () => {
    const own = new FakeClock();
    const { logger, file, text, close } = open({ clock: own });
    rmSync(dirname(file), { recursive: true });
    writeFileSync(dirname(file), 'in the way');
    own.advance(1_000);
    logger.info('nowhere to write this');
    rmSync(dirname(file));
    own.advance(1_000);
    logger.info('here again');
    expect(text()).toContain('here again');
    close();
  });
});

describe('lines that are grouped', () => {
  test('are in the file at the end of the group, in order and none lost to an error', () => {
    const { logger, lines } = open();
    expect(() =>
      logger.together?.(() => {
        for (let number = 0; number < 1_000; number++)
          logger.info(`Line ${number}`, { text: 'x'.repeat(50) });
        expect(lines()).toEqual([]);
        logger.together?.(() => logger.info('Within'));
        throw new Error('oops');
      }),
    ).toThrow('oops');
    expect(lines()).toHaveLength(1_001);
    expect(lines()[999]).toContain('Line 999 ');
    expect(lines()[1_000]).toContain('Within');
    logger.info('Behind');
    expect(lines()[1_001]).toContain('Behind');
  });

  test('are written with a warning among them, which may announce the end', () => {
    const { logger, lines } = open();
    logger.together?.(() => {
      logger.info('First');
      logger.warn('Second');
      expect(lines().map((line) => line.split('] ')[2])).toEqual(['First', 'Second']);
    });
  });

  test('keep to the size of the file like others', () => {
    const rotate = { maxBytes: 64 * 1024, maxAgeMs: 0, keep: 9 };
    const { logger, file } = open({ rotate });
    logger.together?.(() => {
      for (let number = 0; number < 2_000; number++) logger.info('A line of a commit with many of them');
    });
    expect(statSync(file).size).toBeLessThanOrEqual(rotate.maxBytes);
    expect(statSync(`${file}.1`).size).toBeLessThanOrEqual(rotate.maxBytes);
  });
});
