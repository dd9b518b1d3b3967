import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { STARTED } from '../support/DaemonProcess.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const SERVICE = ['run', '--service'];
const WAITS = 'The agent waits until this is fixed';

describe('run --service', { concurrent: true }, () => {
  test('waits while the configuration has mistakes, and lists each in the status, and in the log without numbers', async (context) => {
    const world = await EdgeWorld.open(context);
    world.writeConfig({ 'edge.user_phone': '0151 12345678', 'backend.sync_interval_seconds': 0 });
    const daemon = world.spawn(SERVICE);
    const { exitCode, snapshot } = await daemon.statusUntil((answer) => answer.snapshot !== null);
    expect(exitCode).toBe(4);
    expect(snapshot).toMatchObject({ state: 'degraded', pid: daemon.pid, link: 'offline', agent_id: null });
    expect(snapshot?.problems.map(({ code, message }) => [code, message.split(': found')[0]])).toEqual([
      ['config_invalid', expect.stringContaining('edge.user_phone')],
      ['config_invalid', expect.stringContaining('backend.sync_interval_seconds')],
    ]);
    expect(world.backend.registrations).toEqual([]);
    const screen = await world.cli('status');
    expect(screen.stdout).toContain('✗ config.yaml:');
    await daemon.line(WAITS);
    expect(world.log().join('\n')).toContain('edge.user_phone: found "0•••5678"');
  });

  test('reports the pauses and the backlog of its store, or that they are not known', async (context) => {
    const world = await EdgeWorld.open(context);
    const before = await world.start();
    expect((await world.cli('pause', PERSON)).exitCode).toBe(0);
    expect((await world.cli('send', PERSON, 'later', '--at', '23:59')).exitCode).toBe(0);
    const paused = (await before.status()).snapshot?.paused;
    expect(paused).toMatchObject([{ conversation: PERSON, reason: 'manual' }]);
    await before.kill('SIGTERM');
    world.writeConfig({ 'edge.user_phone': 'nobody' });
    const daemon = world.spawn(SERVICE);
    const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot !== null);
    expect(snapshot).toMatchObject({ paused, scheduled_messages: 1, next_scheduled_at: expect.any(String) });
    expect((await world.cli('status')).stdout).toContain(`PAUSED  ${PERSON}`);
    expect((await world.cli('pause')).exitCode).toBe(0);
    expect((await daemon.status()).snapshot?.paused).toHaveLength(2);

    writeFileSync(join(world.state, 'edge-agent.db'), 'no database at all');
    rmSync(join(world.state, 'edge-agent.db-wal'), { force: true });
    expect((await daemon.status()).snapshot?.paused).toBeNull();
    expect((await world.cli('status')).stdout).toContain('NOT KNOWN');
  });

  test('runs in the same process as soon as a file that is saved by rename fixes it', async (context) => {
    const world = await EdgeWorld.open(context);
    const good = readFileSync(world.configPath, 'utf8');
    world.writeConfig({ 'edge.user_phone': 'nobody' });
    const daemon = world.spawn(SERVICE);
    await daemon.statusUntil(({ exitCode }) => exitCode === 4);
    world.writeConfig({ 'backend.sync_interval_seconds': 0 });
    await daemon.statusUntil(({ snapshot }) => /sync_interval/.test(snapshot?.problems[0]?.message ?? ''));
    writeFileSync(`${world.configPath}~`, good);
    renameSync(`${world.configPath}~`, world.configPath);
    const { snapshot } = await daemon.statusUntil(({ exitCode }) => exitCode === 0);
    expect(snapshot?.pid).toBe(daemon.pid);
    await until(
      () => world.backend.connections.length > 0,
      () => 'the agent to connect',
    );
    await world.acked(world.command('after it was mended'));
  });

  test('runs when a mistake in .env is fixed, and shows no secret meanwhile', async (context) => {
    const world = await EdgeWorld.open(context);
    const good = readFileSync(world.envPath, 'utf8');
    writeFileSync(world.envPath, "EDGE_SECRET='never-shown-4711'\nUSER_PHONE=never-shown-4711\n", {
      mode: 0o600,
    });
    const daemon = world.spawn(SERVICE);
    const { snapshot } = await daemon.statusUntil(({ exitCode }) => exitCode === 4);
    expect(snapshot?.problems[0]?.message).toContain('.env:2');
    writeFileSync(world.envPath, good);
    await daemon.statusUntil(({ exitCode }) => exitCode === 0);
    expect(JSON.stringify(snapshot) + world.log().join('\n')).not.toContain('never-shown-4711');
  });

  test('is found where the configuration cannot even be read, and says so', async (context) => {
    const world = await EdgeWorld.open(context);
    const good = readFileSync(world.configPath, 'utf8');
    writeFileSync(world.configPath, '{ state: [');
    const daemon = world.spawn(SERVICE);
    await daemon.line(WAITS);
    expect((await daemon.status()).snapshot?.problems[0]?.code).toBe('config_invalid');
    const kicked = await world.cli('kick');
    expect(kicked.exitCode).toBe(1);
    expect(kicked.stderr).toContain('The agent waits and does nothing');
    expect(kicked.stderr).toContain('edge-agent status');
    writeFileSync(world.configPath, good);
    await daemon.statusUntil(({ exitCode }) => exitCode === 0);
  });

  test('waits for a configuration that does not exist yet', async (context) => {
    const world = await EdgeWorld.open(context);
    const away = `${world.configPath}.away`;
    renameSync(world.configPath, away);
    const daemon = world.spawn([...SERVICE, '--config', world.configPath]);
    await daemon.line('There is no configuration file at');
    await daemon.line(WAITS);
    renameSync(away, world.configPath);
    await daemon.statusUntil(({ exitCode }) => exitCode === 0);
  });

  test('logs each mistake once, however often it checks', async (context) => {
    const world = await EdgeWorld.open(context);
    world.writeConfig({ 'edge.user_phone': 'nobody', 'backend.sync_interval_seconds': 0 });
    const worse = readFileSync(world.configPath, 'utf8');
    world.writeConfig({ 'edge.user_phone': 'nobody' });
    const daemon = world.spawn(SERVICE);
    await daemon.line(WAITS);
    writeFileSync(`${world.configPath}~`, worse);
    renameSync(`${world.configPath}~`, world.configPath);
    await daemon.line(/ERROR.*sync_interval/);
    expect(world.log().filter((line) => line.includes('user_phone'))).toHaveLength(1);
  });

  test('ends at once when stopped while it waits', async (context) => {
    const world = await EdgeWorld.open(context);
    world.writeConfig({ 'edge.user_phone': 'nobody' });
    const daemon = world.spawn(SERVICE);
    await daemon.statusUntil(({ exitCode }) => exitCode === 4);
    expect(await daemon.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect((await world.cli('status')).exitCode).toBe(3);
  });

  test('waits with a store of a newer version, and runs when it is gone', async (context) => {
    const world = await EdgeWorld.open(context);
    mkdirSync(world.state, { mode: 0o700 });
    const path = join(world.state, 'edge-agent.db');
    const newer = new Database(path);
    newer.pragma('user_version = 9999');
    newer.close();
    const daemon = world.spawn(SERVICE);
    const { snapshot } = await daemon.statusUntil(({ exitCode }) => exitCode === 4);
    expect(snapshot?.problems.map(({ code }) => code)).toEqual(['store_newer']);
    rmSync(path);
    await daemon.line(STARTED);
    await daemon.statusUntil(({ exitCode }) => exitCode === 0);
  });

  test('waits while another agent has the state directory, and takes over from it', async (context) => {
    const world = await EdgeWorld.open(context);
    const other = await world.start();
    const service = world.spawn(SERVICE);
    await until(
      () => service.complaints().includes('Another edge-agent is running'),
      () => 'the complaint',
    );
    expect((await other.status()).snapshot?.pid).toBe(other.pid);
    await other.kill('SIGTERM');
    const { snapshot } = await service.statusUntil(({ exitCode }) => exitCode === 0);
    expect(snapshot?.pid).toBe(service.pid);
    expect(service.complaints().match(/Another edge-agent/g)).toHaveLength(1);
  });

  test('does not answer for a configuration that an agent does not run with', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const { exitCode, stdout } = await world.cli('status', '--config', 'elsewhere.yaml');
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
  });
});
