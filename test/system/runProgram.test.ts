import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/system/clock.js';
import { runProgram } from '../../src/system/runProgram.js';
import { FakeClock } from '../support/FakeClock.js';
import { StandIns } from '../support/StandIns.js';
import { until } from '../support/until.js';

const options = { env: { PATH: process.env.PATH, SHOWN: 'yes' }, timeoutMs: 10_000, clock: systemClock };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a program', () => {
  test('gets its arguments unchanged and only the given environment', async () => {
    const path = new StandIns().write('tell', 'printf "%s|" "$@" "$SHOWN"; echo no >&2; exit 3');
    const args = ['a b', `"'$(x)`, 'ü\n', ''];
    expect(await runProgram(path, args, options)).toEqual({
      kind: 'ended',
      code: 3,
      stdout: `${[...args, 'yes'].join('|')}|`,
      stderr: 'no\n',
    });
  });

  test('that does not exist, or is not executable, is not started', async () => {
    expect(await runProgram('/no/program', [], options)).toEqual({
      kind: 'notStarted',
      message: 'there is no /no/program',
      systemCode: 'ENOENT',
    });
    expect(await runProgram('/', [], options)).toMatchObject({ kind: 'notStarted' });
    expect(await runProgram('/bin/echo', ['\0'], options)).toMatchObject({ kind: 'notStarted' });
  });

  test('that hangs is killed at its deadline', async () => {
    const path = new StandIns().write('hang', 'exec sleep 60');
    expect(await runProgram(path, [], { ...options, timeoutMs: 200 })).toEqual({ kind: 'timedOut' });
  });

  test('that has ended is not waited for longer because something it started keeps its output open', async () => {
    const standIns = new StandIns();
    const noted = join(standIns.directory, 'pid');
    const path = standIns.write(
      'leave',
      `echo done; sleep 5 & echo $$ >'${noted}.new'; mv '${noted}.new' '${noted}'`,
    );
    const clock = new FakeClock();
    const end = runProgram(path, [], { ...options, clock });
    await until(
      () => existsSync(noted) && !isAlive(Number(readFileSync(noted, 'utf8'))),
      () => 'the end of the program',
    );
    clock.advance(options.timeoutMs);
    expect(await end).toEqual({ kind: 'ended', code: 0, stdout: 'done\n', stderr: '' });
  });
});
