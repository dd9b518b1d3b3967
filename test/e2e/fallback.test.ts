import { describe, expect, test } from 'vitest';
import { EdgeWorld, PERSON, REALTIME } from '../support/EdgeWorld.js';

describe('when the WebSocket drops', { concurrent: true }, () => {
  test('a sync is sent at once, however long the interval is', async (context) => {
    const world = await EdgeWorld.open(context, { settings: { 'backend.sync_interval_seconds': 3600 } });
    const { backend } = world;
    const daemon = await world.start();
    await backend.until(({ journal }) => journal.syncs.length === 1);
    const { commandId } = backend.pushCommand(
      { command_type: 'send_message_now', payload: { thread_id: PERSON, text: 'kept for the next sync' } },
      { via: 'polling' },
    );
    backend.refuseUpgrades(503);
    backend.dropSocket();
    expect(await world.acked(commandId)).toMatchObject({ status: 'completed' });
    await daemon.line('Command delivery: HTTP polling every 3600s');
    expect(world.texts).toEqual(['kept for the next sync']);
    expect(backend.journal.commands.map(({ via }) => via)).toEqual(['polling']);
  });

  test('commands come by polling and are acked by HTTP, until the WebSocket is back', async (context) => {
    const world = await EdgeWorld.open(context);
    const { backend } = world;
    const daemon = await world.start();
    backend.refuseUpgrades(503);
    backend.dropSocket();
    await daemon.line('🔌 WebSocket disconnected - falling back to HTTP polling');
    await daemon.line('Command delivery: HTTP polling every 1s');
    const polled = world.command('by polling');
    expect(await world.acked(polled)).toMatchObject({ status: 'completed', result: { outcome: 'sent' } });
    expect(backend.acks.map(({ channel }) => channel)).not.toContain('websocket');
    expect((await daemon.status()).snapshot).toMatchObject({ link: 'polling' });

    const seen = daemon.lines().length;
    backend.refuseUpgrades(null);
    await daemon.line(REALTIME, seen);
    await daemon.line('Command delivery: Real-time via WebSocket 🚀', seen);
    const pushed = world.command('by WebSocket again');
    await world.acked(pushed);
    expect(backend.journal.commands.find(({ commandId }) => commandId === pushed)?.via).toBe('websocket');
    expect((await daemon.status()).snapshot).toMatchObject({ link: 'realtime', state: 'healthy' });

    const story = world.log().map((line) => line.replace(/^\S+ /, ''));
    expect(story).toContainEqual(
      expect.stringMatching(/^\[INFO\] Scheduling WebSocket reconnect attempt 1\/10 in \d+ms$/),
    );
    expect(story).toContain('[INFO] Attempting WebSocket reconnect (attempt 1)');
    expect(story).toContain(`[INFO] 📥 Received command via HTTP: ${polled}`);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['by polling', 'by WebSocket again']);
  });

  test('a command that came by WebSocket and comes again by polling is executed once', async (context) => {
    const world = await EdgeWorld.open(context);
    const { backend } = world;
    const daemon = await world.start();
    world.behave({ kind: 'ok', slowMs: 800 });
    backend.duplicateNextCommand();
    const commandId = world.command('only once');
    await world.calls(1);
    backend.dropSocket();
    await backend.until(({ journal }) => journal.commands.some(({ via }) => via === 'polling'));
    await world.acked(commandId);
    const second = world.command('and then this');
    await world.acked(second);
    expect(new Set(backend.journal.commands.map(({ via }) => via))).toEqual(
      new Set(['websocket', 'polling']),
    );
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['only once', 'and then this']);
  });

  test('a message that arrives meanwhile is posted and answered', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    world.backend.refuseUpgrades(503);
    world.backend.dropSocket();
    await daemon.line('Command delivery: HTTP polling every 1s');
    world.mac.chatDb.receive({ from: PERSON, text: 'anybody there?' });
    await world.sent(2);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['one sec', 'you said: anybody there?']);
  });
});
