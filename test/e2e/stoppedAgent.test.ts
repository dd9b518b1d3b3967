import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silent } from '../../src/kit/backend/persona.js';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;

/** A text for an hour from now, acked as stored. */
async function scheduled(world: EdgeWorld, text: string): Promise<string> {
  const send_at = new Date(Date.now() + HOUR_MS).toISOString();
  const payload = { thread_id: PERSON, message_text: text, send_at };
  const id = world.backend.pushCommand({ command_type: 'schedule_message', payload }).commandId;
  await world.acked(id);
  return id;
}

/** That hour passes while no agent runs. */
function anHourPasses(world: EdgeWorld): void {
  const store = openDatabase(join(world.state, 'edge-agent.db'));
  store.prepare('UPDATE schedule SET send_at = send_at - ?').run(HOUR_MS);
  store.close();
}

const BROKEN = '{ "state": { "directory": [';
const SERVICE = ['run', '--service'];

/** What is paused in the store at that path. */
function pausedIn(directory: string): unknown[] {
  const path = join(directory, 'edge-agent.db');
  if (!existsSync(path)) return [];
  const store = openDatabase(path, { readonly: true });
  try {
    return store.prepare('SELECT conversation FROM pauses').pluck().all();
  } finally {
    store.close();
  }
}

describe('the emergency stop where the configuration cannot be read', { concurrent: true }, () => {
  test('takes effect for the running agent', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const daemon = await world.start();
    writeFileSync(world.configPath, BROKEN);
    expect(await world.cli('pause')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Paused'),
    });
    expect((await daemon.status()).snapshot).toMatchObject({ paused: [{ conversation: '*' }] });
  });

  test('takes effect for a service that waits, in the state directory of its last start', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    await (await world.start()).kill('SIGKILL');
    writeFileSync(world.configPath, BROKEN);
    const service = world.spawn(SERVICE);
    await service.line('The agent waits until this is fixed');
    const paused = await world.cli('pause');
    expect(paused).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Paused: everything') });
    expect(paused.stderr).toContain(`The state directory of the last start was used: ${world.state}`);
    expect(pausedIn(world.state)).toEqual(['*']);
    world.writeConfig({});
    world.command('wait for it');
    await service.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    expect(world.texts).toEqual([]);
  });

  test('takes effect for an agent that does not run, in the store of its last start', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    await (await world.start()).kill('SIGTERM');
    writeFileSync(world.configPath, BROKEN);
    const paused = await world.cli('pause');
    expect(paused.exitCode).toBe(0);
    expect(paused.stderr).toContain(world.state);
    expect(pausedIn(world.state)).toEqual(['*']);
  });

  test('is refused where no start has recorded the state directory, not stored elsewhere', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    writeFileSync(world.configPath, 'edge:\n  user_phone: [\n');
    expect(await world.cli('pause')).toMatchObject({ exitCode: 78, stdout: '' });
    const service = world.spawn(SERVICE);
    await service.line('The agent waits until this is fixed');
    const paused = await world.cli('pause');
    expect(paused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(paused.stderr).toContain('Nothing was done');
    expect(pausedIn(world.state)).toEqual([]);
    expect(pausedIn(join(world.directory, '.local', 'state', 'edge-agent'))).toEqual([]);
  });

  test('never takes effect for the service of another configuration', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    world.writeConfig({ 'backend.sync_interval_seconds': 0, 'state.directory': '~/.local/state/edge-agent' });
    const service = world.spawn(SERVICE);
    await service.line('The agent waits until this is fixed');
    const other = join(world.directory, 'other.yaml');
    writeFileSync(other, BROKEN);
    expect(await world.cli('pause', '--config', other)).toMatchObject({ exitCode: 78, stdout: '' });
    expect(await world.cli('pause')).toMatchObject({ exitCode: 0 });
  });
});

test('a service whose state directory cannot be used pauses nothing elsewhere', async (context) => {
  const world = await EdgeWorld.open(context, { persona: silent });
  const file = join(world.directory, 'file');
  writeFileSync(file, '');
  world.writeConfig({ 'state.directory': join(file, 'state') });
  const service = world.spawn(SERVICE);
  await service.line('The agent waits until this is fixed');
  const paused = await world.cli('pause');
  expect(paused.exitCode).not.toBe(0);
  expect(paused.stdout).toBe('');
  expect(pausedIn(join(world.directory, '.local', 'state', 'edge-agent'))).toEqual([]);
});

describe('what blocks an emergency stop for a moment', { concurrent: true }, () => {
  test('is waited for: an agent that starts or stops holds the lock while nothing answers', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    await (await world.start()).kill('SIGTERM');
    const lock = InstanceLock.acquire(join(world.state, 'agent.lock'));
    const paused = world.cli('pause');
    const first = await Promise.race([paused, new Promise((resolve) => setTimeout(resolve, 3_000, 'waits'))]);
    lock.release();
    expect(first).toBe('waits');
    expect((await paused).exitCode).toBe(0);
    expect(pausedIn(world.state)).toEqual(['*']);
  });

  test('is waited for: several verbs at once each get the store', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    await (await world.start()).kill('SIGTERM');
    const verbs = ['pause', 'queue', 'schedule', 'commands', 'queue', 'schedule'];
    const ended = await Promise.all(verbs.map((verb) => world.cli(verb)));
    expect(ended.map(({ exitCode, stderr }) => (exitCode === 0 ? 0 : stderr))).toEqual(verbs.map(() => 0));
    expect(pausedIn(world.state)).toEqual(['*']);
  });
});

describe('the emergency stop of an agent that does not run', { concurrent: true }, () => {
  test('takes effect before its start can send anything; resume lets it be sent', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const daemon = await world.start();
    const id = await scheduled(world, 'overdue');
    await daemon.kill('SIGKILL');
    anHourPasses(world);
    const paused = await world.cli('pause');
    expect(paused).toMatchObject({
      exitCode: 0,
      stdout: 'Paused: everything. Texts wait.\nTo resume: edge-agent resume\n',
    });
    expect(paused.stderr).toContain('No agent is running; its store was used');
    const next = await world.start();
    await next.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    expect((await next.status()).snapshot).toMatchObject({ paused: [{ conversation: '*' }] });
    expect(world.texts).toEqual([]);
    await next.kill('SIGKILL');
    expect(await world.cli('resume', PERSON)).toMatchObject({ exitCode: 1 });
    expect(await world.cli('resume')).toMatchObject({ exitCode: 0, stdout: 'Resumed: everything\n' });
    expect(await world.cli('resume', 'all')).toMatchObject({ exitCode: 0, stdout: 'Nothing was paused.\n' });
    await world.start();
    expect(await world.acked(id, 2)).toMatchObject({ status: 'completed' });
    expect(world.texts).toEqual(['overdue']);
  });

  test('is a stop again when it follows a resume, and a resume sends nothing that is too old', async (context) => {
    const settings = { 'commands.max_age_seconds': 60 };
    const world = await EdgeWorld.open(context, { persona: silent, settings });
    await world.cli('pause');
    const daemon = await world.start();
    const id = world.command('good morning');
    await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    await daemon.kill('SIGKILL');
    const store = openDatabase(join(world.state, 'edge-agent.db'));
    store.prepare('UPDATE sends SET created_at = created_at - ?').run(HOUR_MS);
    store.close();
    await world.cli('resume');
    expect((await world.cli('pause')).stdout).toContain('Paused: everything.');
    const paused = await world.start();
    expect((await paused.status()).snapshot).toMatchObject({
      paused: [{ conversation: '*' }],
      sends_queued: 1,
    });
    await paused.kill('SIGKILL');
    await world.cli('resume', 'all');
    await world.start();
    expect((await world.acked(id)).error).toMatch(/^too_late: /);
    expect(world.texts).toEqual([]);
  });

  test('can be set before the first start', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    expect((await world.cli('pause')).exitCode).toBe(0);
    const daemon = await world.start();
    world.command('wait for it');
    await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    expect(world.texts).toEqual([]);
  });

  test('a text that is cancelled meanwhile is never sent, and the backend is notified at the start', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const daemon = await world.start();
    const id = await scheduled(world, 'not any more');
    await daemon.kill('SIGKILL');
    const cancelled = await world.cli('schedule', 'cancel', id);
    expect(cancelled).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Cancelled: sched_/) });
    expect((await world.cli('schedule')).stdout).toBe('Nothing is scheduled.\n');
    await world.start();
    expect(await world.acked(id, 2)).toMatchObject({
      status: 'failed',
      error: 'cancelled by the operator',
      result: { outcome: 'not_sent', retry_safe: true },
    });
    await until(
      () => world.backend.events.some(({ body }) => body.event_type === 'schedule_cancelled'),
      () => 'the event',
    );
  });

  test('takes effect for a service that waits for its configuration, once that is fixed', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const daemon = await world.start();
    await scheduled(world, 'overdue');
    await daemon.kill('SIGKILL');
    anHourPasses(world);
    world.writeConfig({ 'backend.sync_interval_seconds': 0 });
    const service = world.spawn(['run', '--service']);
    await service.statusUntil(({ exitCode }) => exitCode === 4);
    expect(await world.cli('pause')).toMatchObject({ exitCode: 0, stderr: '' });
    world.writeConfig({});
    await service.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    expect(world.texts).toEqual([]);
  });

  test('stops everything even where the configuration has mistakes', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    await (await world.start()).kill('SIGTERM');
    world.writeConfig({ 'backend.sync_interval_seconds': 0 });
    expect((await world.cli('pause')).exitCode).toBe(0);
    const one = await world.cli('pause', PERSON);
    expect(one).toMatchObject({ exitCode: 1, stdout: '' });
    expect(one.stderr).toContain('sync_interval_seconds');
  });
});
