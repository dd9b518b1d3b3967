import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { socketPath } from '../../src/operator/socketPath.js';
import { servicePlaces } from '../../src/service/servicePlaces.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

describe('one agent per state directory', { concurrent: true }, () => {
  test('a second one is refused, and the first continues', async (context) => {
    const world = await EdgeWorld.open(context);
    const first = await world.start();
    const second = await world.cli('run');
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toMatch(/^edge-agent: Another edge-agent is running on this state directory/);
    expect(second.stderr).toContain('Stop the other one first');
    expect((await first.status()).snapshot).toMatchObject({ pid: first.pid, state: 'healthy' });
    await world.acked(world.command('still the first'));
    expect(world.backend.journal.connects).toHaveLength(1);
  });

  test('after kill -9 nothing stale blocks the next one', async (context) => {
    const world = await EdgeWorld.open(context);
    const killed = await world.start();
    expect(await killed.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await killed.status()).toMatchObject({ exitCode: 3, error: { code: 'not_running' } });
    const next = await world.start();
    expect((await next.status()).snapshot).toMatchObject({ pid: next.pid, state: 'healthy' });
  });
});

/** Nothing hangs in these stories, so nothing is to be waited for to its limit. */
const PROMPTLY_MS = 12_000;

describe('stopping', { concurrent: true }, () => {
  test.for(['SIGTERM', 'SIGINT'] as const)(
    '%s lets the text in progress end and its ack be read, then exits with 0',
    async (signal, context) => {
      const world = await EdgeWorld.open(context);
      const daemon = await world.start();
      world.behave({ kind: 'ok', slowMs: 700 });
      const onItsWay = world.command('on its way');
      const queued = world.command('still queued');
      await world.calls(1);
      expect(await daemon.kill(signal, PROMPTLY_MS)).toEqual({ code: 0, signal: null });
      // What it wrote last may still be on its way to the backend.
      await world.backend.until(({ journal }) => journal.disconnects.length > 0);
      expect(world.acksOf(onItsWay)).toMatchObject([{ status: 'completed', result: { outcome: 'sent' } }]);
      expect(world.acksOf(queued)).toEqual([]);
      expect(world.texts).toEqual(['on its way']);
      expect(world.backend.journal.disconnects.at(-1)?.code).toBe(1000);
      expect(world.backend.journal.statuses.at(-1)).toMatchObject({
        channel: 'websocket',
        body: { link: 'realtime', link_detail: { state: 'draining' } },
      });
      expect(daemon.lines().at(-1)).toMatch(/\[INFO\] Stopped$/);
      expect(daemon.complaints()).toBe('');

      const next = await world.start();
      await world.acked(queued);
      expect(await next.kill(signal)).toMatchObject({ code: 0 });
      expect(world.texts).toEqual(['on its way', 'still queued']);
    },
  );

  test('a daemon without a backend ends too', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.backend.goDown();
    const daemon = await world.startDegraded();
    await daemon.line('Command delivery: HTTP polling');
    expect(await daemon.kill('SIGTERM', PROMPTLY_MS)).toEqual({ code: 0, signal: null });
    expect(daemon.lines().at(-1)).toMatch(/\[INFO\] Stopped$/);
  });

  test('a second signal ends it at once', async (context) => {
    const world = await EdgeWorld.open(context);
    world.behave({ kind: 'hang', when: 'before' });
    const daemon = await world.start();
    world.command('never ends');
    await world.calls(1);
    daemon.signal('SIGTERM');
    await daemon.line('Stopping: finishing what is in progress');
    expect(await daemon.kill('SIGTERM')).toEqual({ code: 143, signal: null });
    expect(daemon.lines().join('\n')).not.toContain('[INFO] Stopped');
  });
});

describe('status', { concurrent: true }, () => {
  test('says with exit 3 that nothing runs, and how to start it', async (context) => {
    const world = await EdgeWorld.open(context);
    const { exitCode, stdout, stderr } = await world.cli('status');
    expect(exitCode).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toContain(`No edge-agent is running on ${world.state}`);
    expect(stderr).toContain('edge-agent run');
  });

  test('says on a Mac the next step of the installation, as every other verb does: set up, install, start', async (context) => {
    const world = await EdgeWorld.open(context);
    world.place.env.STAND_IN_PROGRAMS = join(world.directory, 'programs');
    const remedies = async () => {
      const { stderr } = await world.cli('status');
      const json = JSON.parse((await world.cli('status', '--json')).stdout) as { error: { remedy: string } };
      const sent = await world.cli('send', PERSON, 'hi');
      return [stderr, json.error.remedy, sent.stderr].map((said) => said.trim().split('\n').at(-1));
    };
    const { plist } = servicePlaces(world.directory);
    expect(await remedies()).toEqual(Array(3).fill('Install it: edge-agent install'));
    mkdirSync(dirname(plist), { recursive: true });
    writeFileSync(plist, '');
    expect(await remedies()).toEqual(Array(3).fill('Start it: edge-agent start'));
    rmSync(plist);
    rmSync(world.configPath);
    expect((await remedies())[0]).toBe('Set it up: edge-agent setup');
    expect((await world.cli('doctor')).stdout).toMatch(/FAIL {2}config .*\n.*→ .*edge-agent setup\n/);
  });

  test('of no agent: a setting that is read at the start takes effect at the next one, not after a restart', async (context) => {
    const world = await EdgeWorld.open(context);
    const set = async (port: string) => (await world.cli('config', 'set', 'monitor.port', port)).stdout;
    expect(await set('3101')).toMatch(/\nIt takes effect at the next start\. Start it: edge-agent run\n$/);
    const daemon = await world.start();
    expect(await set('3102')).toMatch(
      /\nIt takes effect after a restart: stop the agent \(Ctrl-C\), then edge-agent run\n$/,
    );
    const moved = await world.cli('config', 'set', 'state.directory', join(world.directory, 'other'));
    expect(moved.stdout).toContain('It takes effect after a restart');
    await daemon.kill('SIGTERM');
  });

  test('in a terminal does not recommend the restart verb of a service that is also installed', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    const { plist } = servicePlaces(world.directory);
    mkdirSync(dirname(plist), { recursive: true });
    writeFileSync(plist, '');
    world.place.env.STAND_IN_PROGRAMS = join(world.directory, 'programs');
    expect((await world.cli('config', 'set', 'monitor.port', '3101')).stdout).toMatch(
      /\nIt takes effect after a restart: stop the agent \(Ctrl-C\), then edge-agent run\n$/,
    );
    await daemon.kill('SIGTERM');
  });

  test('says with exit 5 that the status is unknown when the socket never answers', async (context) => {
    const world = await EdgeWorld.open(context);
    mkdirSync(world.state, { mode: 0o700 });
    const mute = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      context.onTestFinished(() => void socket.destroy());
    });
    await new Promise<void>((resolve) => mute.listen(socketPath(world.state), resolve));
    context.onTestFinished(() => void mute.close());
    const { exitCode, stdout } = await world.cli('status', '--json');
    expect(exitCode).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'status_unavailable', message: expect.stringContaining('did not answer') },
    });
  });

  test('does not say that nothing runs where the socket of a running agent was deleted, and the agent recreates it', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    rmSync(socketPath(world.state));
    const { exitCode, stderr } = await world.cli('pause');
    if (exitCode !== 0)
      expect({ exitCode, stderr }).toEqual({ exitCode: 5, stderr: expect.stringContaining('an agent runs') });
    await until(
      async () => (await world.cli('pause')).exitCode === 0,
      () => 'the emergency stop to work again',
    );
    expect((await daemon.status()).snapshot?.paused).not.toEqual([]);
  });

  test('says with exit 5 that the status is unknown when what answers is no agent', async (context) => {
    const world = await EdgeWorld.open(context);
    mkdirSync(world.state, { mode: 0o700 });
    const stranger = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => stranger.listen(socketPath(world.state), resolve));
    context.onTestFinished(() => void stranger.close());
    const { exitCode, stderr } = await world.cli('status');
    expect(exitCode).toBe(5);
    expect(stderr).toContain('Cannot get the status of edge-agent');
  });
});
