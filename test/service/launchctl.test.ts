import { expect, test } from 'vitest';
import { Launchctl, readPrint } from '../../src/service/Launchctl.js';
import { explainExit } from '../../src/service/launchctlExit.js';
import { systemClock } from '../../src/system/clock.js';
import { page, tableUnder } from '../docs/page.js';
import { StandIns } from '../support/StandIns.js';

const DOCUMENTED = tableUnder('### What launchctl answers', page('docs/operating.md')).flatMap(
  ([codes = '']) => codes.split(', ').map(Number),
);

test('every exit code of the table is explained with a remedy of its own', () => {
  expect(DOCUMENTED.length).toBeGreaterThan(10);
  for (const code of DOCUMENTED) {
    const fault = explainExit('bootstrap', code, 'Bootstrap failed:\n  it said so');
    expect(fault.message, String(code)).toMatch(new RegExp(`^launchctl bootstrap failed with ${code}: \\S+`));
    expect(fault.message).toMatch(/ It said: Bootstrap failed: it said so\.$/);
    expect(fault.remedy, String(code)).not.toContain('launchctl error');
  }
});

test('an unknown exit code is reported with the way to look it up', () => {
  expect(explainExit('bootout', 99, '')).toMatchObject({
    code: 'launchd_refused',
    message: 'launchctl bootout failed with 99.',
    remedy: 'Look it up with: launchctl error 99',
  });
  expect(explainExit('bootout', null, '').message).toBe('launchctl bootout was killed.');
});

test('of what launchctl prints only the fields of the job itself count, and missing ones are no error', () => {
  const output = [
    'gui/501/edge-agent = {',
    '\tpath = /Users/a/Library/LaunchAgents/edge-agent.plist',
    '\tstate = running',
    '\tpid = 4711',
    '\tlast exit code = (never exited)',
    '\tendpoints = {',
    '\t\tpid = 1',
    '\t}',
    '}',
  ];
  expect(readPrint(output.join('\n'))).toEqual({
    path: '/Users/a/Library/LaunchAgents/edge-agent.plist',
    pid: 4711,
    lastExit: '(never exited)',
  });
  expect(readPrint('something else altogether')).toEqual({ path: null, pid: null, lastExit: null });
});

test('a launchctl that cannot be started is reported as such', async () => {
  const launchctl = new Launchctl({ path: '/nowhere/launchctl', env: {}, uid: 501, clock: systemClock });
  await expect(launchctl.job()).rejects.toMatchObject({
    code: 'launchd_refused',
    message: expect.stringContaining('there is no /nowhere/launchctl'),
  });
});

test('a warning of launchctl beside its answer hides nothing of the answer', async () => {
  const path = new StandIns().write('launchctl', "echo 'a warning' >&2; printf '\\tpid = 4711\\n'");
  const launchctl = new Launchctl({ path, env: {}, uid: 501, clock: systemClock });
  expect(await launchctl.job()).toMatchObject({ kind: 'loaded', pid: 4711 });
});
