import { expect, onTestFinished, test } from 'vitest';
import { Caffeinate } from '../../src/supervisor/Caffeinate.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { StandIns } from '../support/StandIns.js';
import { until } from '../support/until.js';

function place(body: string) {
  const standIns = new StandIns();
  const clock = new FakeClock();
  const log = new RecordingLog();
  const path = body === '' ? '/no/caffeinate' : standIns.write('caffeinate', body);
  const caffeinate = new Caffeinate({ path, pid: 4711, env: { PATH: process.env.PATH }, clock, log });
  onTestFinished(() => caffeinate.stop());
  const started = (times: number) =>
    until(
      () => standIns.calls('caffeinate').length === times,
      () => `${times} starts`,
    );
  return { standIns, clock, log, caffeinate, started };
}

test('it keeps the Mac awake for the agent’s process, and ends with the agent', async () => {
  const { standIns, caffeinate, started, log } = place(`trap 'echo ended > "$D/ended"; exit' TERM
    while :; do sleep 0.05; done`);
  caffeinate.start();
  await started(1);
  expect(standIns.calls('caffeinate')).toEqual(['-i -m -s -w 4711']);
  caffeinate.stop();
  await until(
    () => standIns.calls('caffeinate').length === 1 && standIns.has('ended'),
    () => 'its end',
  );
  expect(log.lines).toEqual([]);
});

test('one that dies is restarted, at growing intervals, with one warning', async () => {
  const { clock, log, caffeinate, started } = place('exit 3');
  caffeinate.start();
  await started(1);
  for (const [times, waitMs] of [
    [2, 1_000],
    [3, 2_000],
    [4, 4_000],
  ] as const) {
    await until(
      () => clock.pending === 1,
      () => 'the wait',
    );
    clock.advance(waitMs);
    await started(times);
  }
  expect(log.lines).toEqual(['WARN caffeinate is not running; the Mac may go to sleep']);
});

test('where it does not exist, that is a warning and nothing more', async () => {
  const { clock, log, caffeinate } = place('');
  caffeinate.start();
  await until(
    () => log.lines.length === 1,
    () => 'the warning',
  );
  caffeinate.stop();
  expect(clock.pending).toBe(0);
});
