import { beforeEach, describe, expect, test } from 'vitest';
import { parseCommand } from '../../src/backend/protocol.js';
import { LostConnectionDetector } from '../../src/backend/WebSocketClient.js';
import type { Command } from '../../src/model/command.js';
import { FakeClock } from '../support/FakeClock.js';

/** Longer than a push may be on its way. */
const LONG_MS = 10_000;

describe('the watch for a backend that has lost the agent', () => {
  let clock: FakeClock;
  let redials: number;
  let watch: LostConnectionDetector;
  let skewMs = 0;

  beforeEach(() => {
    clock = new FakeClock();
    redials = 0;
    skewMs = 0;
    watch = new LostConnectionDetector({
      clock,
      skewMs: () => skewMs,
      onStranded: () => {
        redials += 1;
      },
    });
    clock.advance(60_000);
    watch.opened();
    clock.advance(60_000);
  });

  /** A command that was queued so long ago; null: the backend does not say when. */
  const command = (id: string, agoMs: number | null): Command => {
    const timestamp = agoMs === null ? undefined : new Date(clock.now() - agoMs).toISOString();
    const read = parseCommand({ command_id: id, command_type: 'list_scheduled', timestamp });
    if (!read) throw new Error('a command that cannot be read');
    return read;
  };
  /** A safety sync that left so long ago and brings these commands now. */
  const sync = (commands: readonly Command[], leftAgoMs = 50) => {
    watch.bySync(commands, clock.now() - leftAgoMs, true);
    clock.advance(LONG_MS);
  };

  test('reconnects for a command that was queued after the socket opened and never came by it', () => {
    sync([command('cmd_1', 30_000)]);
    expect(redials).toBe(1);
  });

  test('reconnects for a command without a timestamp that is seen for the first time', () => {
    sync([command('cmd_1', null)]);
    expect(redials).toBe(1);
  });

  test('reconnects once for many commands, and not again for the same ones', () => {
    const held = [command('cmd_1', 30_000), command('cmd_2', null)];
    sync(held);
    watch.opened();
    sync(held);
    expect(redials).toBe(1);
  });

  test('lets a backend repeat in each sync what it pushed on this socket and the agent has not acked', () => {
    const pushed = [command('cmd_1', 30_000), command('cmd_2', null)];
    watch.bySocket(pushed);
    for (let i = 0; i < 5; i++) sync(pushed);
    expect(redials).toBe(0);
  });

  test('lets a backend repeat what it pushed a moment before the sync left', () => {
    const pushed = command('cmd_1', 60);
    watch.bySocket([pushed]);
    sync([pushed], 50);
    expect(redials).toBe(0);
  });

  test('waits for a push that the reply has overtaken', () => {
    const late = [command('cmd_1', 100), command('cmd_2', null)];
    watch.bySync(late, clock.now() - 50, true);
    clock.advance(500);
    watch.bySocket(late);
    clock.advance(LONG_MS);
    expect(redials).toBe(0);
  });

  test('reconnects if only some of what the reply brought comes by the socket as well', () => {
    const late = [command('cmd_1', 100), command('cmd_2', 100)];
    watch.bySync(late, clock.now() - 50, true);
    watch.bySocket(late.slice(0, 1));
    clock.advance(LONG_MS);
    expect(redials).toBe(1);
  });

  test('ignores what was queued before the socket opened, or during the sync', () => {
    sync([command('cmd_before', 90_000), command('cmd_meanwhile', 10)], 50);
    expect(redials).toBe(0);
  });

  test('compares by the clock of the backend', () => {
    skewMs = 3_600_000;
    sync([command('cmd_before', 90_000 - skewMs)]);
    expect(redials).toBe(0);
    sync([command('cmd_after', 30_000 - skewMs)]);
    expect(redials).toBe(1);
  });

  test('learns nothing from the catch-up sync, but remembers what it brought', () => {
    const stranded = [command('cmd_1', 30_000), command('cmd_2', null)];
    watch.bySync(stranded, clock.now() - 50, false);
    sync(stranded);
    expect(redials).toBe(0);
  });

  test('does not blame a socket for a sync that left before it opened', () => {
    clock.advance(1_000);
    watch.opened();
    sync([command('cmd_1', null)], 500);
    expect(redials).toBe(0);
  });

  test('does not blame a socket for what its predecessor missed', () => {
    watch.bySync([command('cmd_1', null)], clock.now() - 50, true);
    clock.advance(500);
    watch.opened();
    clock.advance(LONG_MS);
    expect(redials).toBe(0);
  });

  test('leaves no timer after it is stopped', () => {
    watch.bySync([command('cmd_1', null)], clock.now() - 50, true);
    watch.stop();
    clock.advance(LONG_MS);
    expect([redials, clock.pending]).toEqual([0, 0]);
  });
});
