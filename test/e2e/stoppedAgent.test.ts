import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silent } from '../../src/kit/backend/persona.js';
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

describe('the emergency stop of an agent that does not run', { concurrent: true }, () => {
  test('counts before its start can send anything; resume lets it go out', async (context) => {
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

  test('is a stop again when it follows a resume, and a resume brings out nothing that is too old', async (context) => {
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

  test('stands before the first start', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    expect((await world.cli('pause')).exitCode).toBe(0);
    const daemon = await world.start();
    world.command('wait for it');
    await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    expect(world.texts).toEqual([]);
  });

  test('a text that is taken back meanwhile never goes out, and the backend is told at the start', async (context) => {
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

  test('counts for a service that waits for its configuration, once that is mended', async (context) => {
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
