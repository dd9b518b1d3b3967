import { describe, expect, test } from 'vitest';
import { MessagesApp } from '../../src/supervisor/MessagesApp.js';
import { systemClock } from '../../src/system/clock.js';
import { programs } from '../../src/system/programs.js';
import { StandIns } from '../support/StandIns.js';
import { until } from '../support/until.js';

function place(options: { stubborn?: boolean; broken?: boolean } = {}) {
  const standIns = new StandIns();
  const app = new MessagesApp({ ...standIns.messages(options), env: process.env, clock: systemClock });
  const becomes = (state: string) =>
    until(
      async () => (await app.state()) === state,
      () => state,
    );
  return { standIns, app, becomes };
}

describe('Messages as a process', () => {
  test('is opened hidden and in the background, and found by name among this user’s processes', async () => {
    const { standIns, app, becomes } = place();
    expect(await app.state()).toBe('absent');
    expect(await app.open()).toEqual({ kind: 'opened' });
    await becomes('running');
    expect(standIns.calls('open')).toEqual(['-g -j -b com.apple.MobileSMS']);
    expect(standIns.calls('pgrep')[0]).toBe(`-U ${process.getuid?.()} -x Messages`);
  });

  test('is asked to quit by AppleScript', async () => {
    const { standIns, app, becomes } = place();
    await app.open();
    await becomes('running');
    await app.quit();
    await becomes('absent');
    expect(standIns.calls('osascript')).toEqual(['-e tell application id "com.apple.MobileSMS" to quit']);
  });

  test('is killed when it ignores everything else', async () => {
    const { app, becomes } = place({ stubborn: true });
    await app.open();
    await becomes('running');
    await app.quit();
    await app.signal('SIGTERM');
    expect(await app.state()).toBe('running');
    await app.signal('SIGKILL');
    await becomes('absent');
  });

  test('cannot be opened where open fails or is missing; where pgrep is missing its state is unknown', async () => {
    expect(await place({ broken: true }).app.open()).toEqual({
      kind: 'failed',
      message: 'open ended with 1',
    });
    const nowhere = {
      programs: programs({ open: '/no/open', pgrep: '/no/pgrep' }),
      osascriptPath: '/no/osascript',
    };
    const app = new MessagesApp({ ...nowhere, env: {}, clock: systemClock });
    expect(await app.open()).toEqual({ kind: 'failed', message: 'there is no /no/open' });
    expect(await app.state()).toBe('unknown');
    await app.quit();
    await app.signal('SIGTERM');
  });
});
