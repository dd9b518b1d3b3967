import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import type { StatusSnapshot } from '../../src/model/status.js';
import { PERSON, SECRET } from '../support/EdgeWorld.js';
import { MacWorld } from '../support/MacWorld.js';
import { until } from '../support/until.js';

/** What is wrong by `status`, which must report it, and by its exit code. */
async function codes(world: MacWorld): Promise<string[]> {
  const { exitCode, stdout } = await world.cli('status', '--json');
  const { state, problems } = JSON.parse(stdout) as StatusSnapshot;
  expect(exitCode).toBe(state === 'healthy' ? 0 : 4);
  return problems.map(({ code }) => code);
}

const says = (world: MacWorld, code: string) =>
  until(
    async () => (await codes(world)).includes(code),
    () => `${code} in the status`,
  );
const isWell = (world: MacWorld) =>
  until(
    async () => (await codes(world)).length === 0,
    () => 'a healthy status',
  );

test('an operator installs, sets up twice, pauses, edits, breaks, fixes and removes, and every answer is true', async (context) => {
  const world = await MacWorld.open(context);
  const { edge } = world;
  const config = () => readFileSync(edge.configPath, 'utf8');

  expect((await world.cli('install')).exitCode).toBe(0);
  await isWell(world);

  // Setting up again with what is in force changes nothing, however often.
  const before = config();
  for (const _ of ['once', 'twice']) {
    const setup = await world.cli(
      'setup',
      '--yes',
      '--backend-url',
      edge.backend.url,
      '--phone',
      '+13105550100',
    );
    expect(setup.exitCode, setup.stderr).toBe(0);
    expect(config()).toBe(before);
  }

  // Paused texts are sent only after the resume.
  expect((await world.cli('pause', PERSON)).stdout).toContain(PERSON);
  const held = edge.command('while it is paused');
  await edge.backend.until(({ journal }) => journal.commands.some(({ commandId }) => commandId === held));
  const queued = async () =>
    (JSON.parse((await world.cli('status', '--json')).stdout) as StatusSnapshot).sends_queued;
  await until(
    async () => (await queued()) === 1,
    () => 'the text to wait',
  );
  expect(edge.texts).not.toContain('while it is paused');
  expect((await world.cli('resume', PERSON)).exitCode).toBe(0);
  await edge.acked(held);
  expect(edge.texts).toContain('while it is paused');

  // One setting changes, and nothing else in the file.
  expect(await world.cli('config', 'get', 'outgoing.bubble_delay_ms')).toMatchObject({ stdout: '20\n' });
  expect((await world.cli('config', 'set', 'outgoing.bubble_delay_ms', '30')).exitCode).toBe(0);
  expect(JSON.parse(config()).outgoing.bubble_delay_ms).toBe(30);
  const kept = readdirSync(dirname(edge.configPath)).filter((name) => name.startsWith('config.yaml.bak-'));
  expect(kept).toHaveLength(1);

  // An unreadable configuration is reported, and the running agent continues.
  const good = config();
  writeFileSync(edge.configPath, `${good}\n  : [`);
  await says(world, 'config_invalid');
  await edge.acked(edge.command('with a broken file'));
  const doctor = await world.cli('doctor');
  expect(doctor.exitCode).toBe(1);
  expect(doctor.stdout).toMatch(/FAIL .*config/);
  writeFileSync(edge.configPath, good);
  await isWell(world);

  // A wrong secret is reported as such, and a corrected one is picked up.
  edge.writeSecret('not-the-secret');
  await says(world, 'backend_unauthorised');
  edge.writeSecret(SECRET);
  await isWell(world);

  const logs = await world.cli('logs', '--lines', '500');
  expect(logs.stdout).toContain('real-time mode enabled');
  expect(logs.stdout).not.toContain('while it is paused');

  expect((await world.cli('uninstall', '--yes')).exitCode).toBe(0);
  expect((await world.cli('status')).exitCode).toBe(3);
});
