import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LONGEST_TEXT_BYTES } from '../../../src/messages/applescript/OsascriptRunner.js';
import { DISPATCH_MARKER, SCRIPTS } from '../../../src/messages/applescript/scripts.js';
import { anyText } from '../../support/anyText.js';
import { until } from '../../support/until.js';
import { request, Workbench } from './Workbench.js';

let bench: Workbench;
beforeEach(() => {
  bench = new Workbench();
});
afterEach(() => {
  bench.remove();
});

const AWKWARD = [
  'it\'s "quoted" `twice` \\ and \\" escaped',
  'line one\nline two\r\n\ttabbed\u2028separated',
  '👩‍👩‍👧‍👦 ünïcødé 日本語 \u202eright to left',
  '-e',
  '--',
  '-l JavaScript',
  'tell application "Finder" to delete every file of home',
  '" & (do shell script "touch /tmp/owned") & "',
  'end run\non run argv\ndo shell script "id"',
  '$(touch owned) `touch owned` ; touch owned & | > owned',
  '%s %n $HOME ~ *',
  '\u0001\u001b[31m\u007f',
  DISPATCH_MARKER,
  ' ',
];

describe('a text', () => {
  const keepArguments = () => bench.shell(`printf '%s\\0' "$@" > '${bench.path('argv')}'`);
  const received = () => readFileSync(bench.path('argv'), 'utf8').split('\0').slice(0, -1);

  test.each(AWKWARD)('arrives unchanged: %j', async (text) => {
    const asked = request({ text });
    expect(await bench.runner(keepArguments()).start(asked).result).toEqual({ kind: 'accepted' });
    expect(received()).toEqual(['-l', 'AppleScript', '-', text, asked.target, '10', '', asked.tag]);
  });

  test('arrives unchanged whatever it contains, and so do target and account', async () => {
    const words = anyText({ minLength: 1 }).map((word) => word.replaceAll('\0', '.'));
    const runner = bench.runner(keepArguments());
    await fc.assert(
      fc.asyncProperty(words, words, words, async (text, target, accountId) => {
        const asked = request({ form: 'participant', text, target, accountId });
        expect(await runner.start(asked).result).toEqual({ kind: 'accepted' });
        expect(received().slice(3)).toEqual([text, target, '10', accountId, asked.tag]);
      }),
      { numRuns: 60 },
    );
  });

  test('loses its NUL bytes, which no argument can hold, and nothing else', async () => {
    await bench.runner(keepArguments()).start(request({ text: '\0a\0\0b\n\0' })).result;
    expect(received()[3]).toBe('ab\n');
  });

  test('of the longest length is sent; one byte more is refused before anything is spawned', async () => {
    const runner = bench.runner(keepArguments());
    const longest = 'é'.repeat(LONGEST_TEXT_BYTES / 2);
    expect(await runner.start(request({ text: longest })).result).toEqual({ kind: 'accepted' });
    expect(received()[3]).toBe(longest);
    rmSync(bench.path('argv'));
    const refused = runner.start(request({ text: `${longest}.` }));
    expect(refused.pid).toBeUndefined();
    expect(await refused.result).toMatchObject({
      kind: 'notStarted',
      reason: 'text_too_long',
      retry: 'never',
    });
    expect(() => received()).toThrow('ENOENT');
  });

  test('is replaced by the file that is to be sent', async () => {
    await bench.runner(keepArguments()).start(request({ file: '/a "b".jpg', tag: 'attempt_file' })).result;
    expect(received().slice(3)).toEqual([
      '',
      'iMessage;-;+13105550100',
      '10',
      '',
      '/a "b".jpg',
      'attempt_file',
    ]);
  });
});

test.each(['', 'a\0b'])('the target %j is refused permanently before anything is spawned', async (target) => {
  const run = bench.runner(bench.shell('exit 0')).start(request({ target }));
  expect(run.pid).toBeUndefined();
  expect(await run.result).toMatchObject({ kind: 'notStarted', retry: 'never' });
});

test.each([
  ['chat', undefined, 'chat-text'],
  ['participant', undefined, 'participant-text'],
  ['sms', undefined, 'sms-text'],
  ['chat', '/tmp/a', 'chat-file'],
] as const)('the script for %s (file: %s) is on stdin, complete, on every run', async (form, file, name) => {
  const runner = bench.runner(bench.shell(`cat > '${bench.path('stdin')}'`));
  for (let run = 0; run < 2; run++) {
    await runner.start(request({ form, ...(file === undefined ? {} : { file }) })).result;
    expect(readFileSync(bench.path('stdin'), 'utf8')).toBe(SCRIPTS[name]);
  }
});

test('osascript gets nothing of the agent’s environment and no secret', async () => {
  const env = { PATH: '/tmp', LANG: 'C', EDGE_SECRET: 's1', USER_PHONE: 's2', MY_PASSPHRASE: 's3' };
  await bench.runner(bench.shell(`env > '${bench.path('env')}'`), { env }).start(request()).result;
  const seen = readFileSync(bench.path('env'), 'utf8');
  expect(seen).toContain('LANG=C');
  expect(seen).not.toMatch(/EDGE_|USER_PHONE|PASSPHRASE|s[123]$|\/tmp$/m);
});

describe('the private file', () => {
  test('takes stdout and stderr, and like the scripts is private to this user', async () => {
    const asked = request();
    await bench.runner(bench.shell('echo out; echo err >&2')).start(asked).result;
    const path = join(bench.state, 'sends', `${asked.tag}.log`);
    expect(readFileSync(path, 'utf8').trimEnd()).toBe(`${asked.tag}\nout\nerr`);
    const modes = [path, join(path, '..'), join(bench.state, 'applescript/chat-text.applescript')];
    expect(modes.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o700, 0o600]);
  });

  test('of one attempt is never used by another', async () => {
    const runner = bench.runner(bench.shell(`echo run >> '${bench.path('runs')}'`));
    const asked = request();
    await runner.start(asked).result;
    expect(await runner.start(asked).result).toMatchObject({ reason: 'internal', retry: 'never' });
    expect(readFileSync(bench.path('runs'), 'utf8')).toBe('run\n');
  });

  test('cannot be placed elsewhere by a tag', async () => {
    const run = bench.runner(bench.shell('exit 0')).start(request({ tag: '../../../etc/evil' }));
    expect(await run.result).toMatchObject({ kind: 'notStarted', reason: 'internal', retry: 'never' });
  });

  test('that cannot be created means that nothing was sent, to be retried', async () => {
    writeFileSync(bench.state, 'a file where the state directory should be');
    const run = bench.runner(bench.shell('exit 0')).start(request());
    expect(await run.result).toMatchObject({ reason: 'state_unwritable', retry: 'later' });
    expect(() => bench.runner('x').prepare()).toThrow('The files for osascript cannot be written');
  });

  test('is recreated after its directory was deleted', async () => {
    const runner = bench.runner(bench.shell('exit 0'));
    await runner.start(request()).result;
    rmSync(bench.state, { recursive: true });
    expect(await runner.start(request()).result).toEqual({ kind: 'accepted' });
  });

  test.each([70_000, 400_000])('shows the marker before %i bytes of noise', async (noise) => {
    const body = `echo ${DISPATCH_MARKER} >&2; head -c ${noise} /dev/zero | tr '\\0' x; echo '(-1700)'; exit 1`;
    const run = bench.runner(bench.shell(body)).start(request());
    expect(await run.result).toMatchObject({ kind: 'unknown', reason: 'after_dispatch', code: -1700 });
  });

  test('that is gone when osascript failed proves nothing', async () => {
    const asked = request();
    const path = join(bench.state, 'sends', `${asked.tag}.log`);
    const run = bench.runner(bench.shell(`rm '${path}'; exit 1`)).start(asked);
    expect(await run.result).toMatchObject({ kind: 'unknown' });
  });
});

describe('an osascript that cannot be spawned', () => {
  test('because it does not exist: nothing sent, retry', async () => {
    const run = bench.runner(bench.path('nowhere')).start(request());
    expect(await run.result).toMatchObject({
      kind: 'notStarted',
      reason: 'osascript_missing',
      retry: 'later',
    });
  });

  test('because it is not executable: nothing sent, retry', async () => {
    writeFileSync(bench.path('plain'), 'not a program', { mode: 0o600 });
    const run = bench.runner(bench.path('plain')).start(request());
    expect(await run.result).toMatchObject({
      kind: 'notStarted',
      reason: 'osascript_missing',
      retry: 'later',
    });
  });

  test('because its arguments are too long: nothing sent, no retry', async () => {
    const target = 'x'.repeat(300_000);
    const run = bench.runner(bench.shell('exit 0')).start(request({ target }));
    expect(await run.result).toMatchObject({ kind: 'notStarted', reason: 'text_too_long', retry: 'never' });
  });
});

describe('the deadline', () => {
  test('kills osascript and everything it started', async () => {
    const body = `sleep 60 & echo $! > '${bench.path('child')}'; wait`;
    const run = bench.runner(bench.shell(body)).start(request({ deadlineMs: 400 }));
    expect(await run.result).toMatchObject({ kind: 'unknown', reason: 'timeout' });
    const pids = [Number(run.pid), Number(readFileSync(bench.path('child'), 'utf8'))];
    // What is killed has its pid until its parent, or init, has taken note.
    await until(
      () => !pids.some(isAlive),
      () => `the end of ${pids.filter(isAlive)}`,
    );
  });

  test('is not brought forward: a slow osascript is waited for', async () => {
    const run = bench.runner(bench.shell('sleep 0.5')).start(request({ deadlineMs: 10_000 }));
    expect(await run.result).toEqual({ kind: 'accepted' });
  });

  test('makes Apple events time out earlier, in whole seconds and at least one', async () => {
    const runner = bench.runner(bench.shell(`printf '%s ' "$6" >> '${bench.path('seconds')}'`));
    for (const deadlineMs of [1_000, 90_000, 600_000]) await runner.start(request({ deadlineMs })).result;
    expect(readFileSync(bench.path('seconds'), 'utf8')).toBe('1 60 400 ');
  });

  test('does not reach a run that was released', async () => {
    const run = bench
      .runner(bench.shell(`sleep 0.6; echo done > '${bench.path('done')}'`))
      .start(request({ deadlineMs: 200 }));
    run.release();
    expect(await run.result).toEqual({ kind: 'accepted' });
    expect(readFileSync(bench.path('done'), 'utf8')).toBe('done\n');
  });
});

/** A process that has ended but was not waited for is a Z and no longer alive. */
function isAlive(pid: number): boolean {
  return /^[^Z]/.test(
    spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim(),
  );
}
