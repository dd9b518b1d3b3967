import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { socketPath } from '../../src/operator/socketPath.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { CLI } from '../support/program.js';
import { type CliResult, runCli } from '../support/runCli.js';

/** The user id of nobody, on Linux. */
const NOBODY = 65_534;

/** Every verb that asks the daemon. */
const ASKING = [
  ['status'],
  ['kick'],
  ['pause'],
  ['resume'],
  ['send', PERSON, 'x'],
  ['queue'],
  ['queue', 'retry', 'all'],
  ['commands'],
  ['commands', 'show', 'x'],
  ['schedule'],
  ['schedule', 'cancel', 'x'],
] as const;

/** Those that change something by the first thing they ask for. */
const CHANGING = ['kick', 'pause', 'resume', 'queue retry all', 'schedule cancel x'];

/** Root may open everything, so root switches to the user nobody for it; any other user loses the permission. */
function bySomebodyElse(args: readonly string[], world: EdgeWorld): Promise<CliResult> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) chmodSync(socketPath(world.state), 0o000);
  const { PATH } = world.place.env;
  const env = { PATH, HOME: '/nowhere', EDGE_STATE_DIRECTORY: world.state };
  return runCli(args, { cwd: '/', env, ...(isRoot ? { uid: NOBODY } : {}) });
}

describe('without a daemon', { concurrent: true }, () => {
  test.for(ASKING.filter(([verb]) => verb !== 'pause'))(
    '%j says so, and how to start it, with exit 3',
    async (args, context) => {
      const world = await EdgeWorld.open(context);
      const { exitCode, stdout, stderr } = await world.cli(...args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
      expect(stderr).toMatch(/^edge-agent: No edge-agent is running on .*\nStart it: edge-agent run\n$/);
      expect(existsSync(world.state)).toBe(false);
    },
  );

  test.for(ASKING)(
    '%j with a socket that does not respond ends in time, with exit 5',
    async (args, context) => {
      const world = await EdgeWorld.open(context);
      mkdirSync(world.state);
      const silent = createServer(() => undefined);
      silent.listen(socketPath(world.state));
      await once(silent, 'listening');
      context.onTestFinished(() => void silent.close());
      const { exitCode, stdout, stderr } = await world.cli(...args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
      expect(stderr).toMatch(
        /did not answer within 5 s\.\n(It may.*\n)?Run this as the user who runs the agent/,
      );
      expect(/\nIt may still be done/.test(stderr), stderr).toBe(CHANGING.includes(args.join(' ')));
    },
  );

  test.for(ASKING)(
    '%j of a user who may not open the socket ends with exit 5 and the reason',
    async (args, context) => {
      const world = await EdgeWorld.open(context);
      mkdirSync(world.state, { mode: 0o700 });
      const server = createServer(() => undefined);
      server.listen(socketPath(world.state));
      await once(server, 'listening');
      context.onTestFinished(() => void server.close());
      const { exitCode, stdout, stderr } = await bySomebodyElse(args, world);
      expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
      expect(stderr).toMatch(/EACCES.*\nRun this as the user who runs the agent/);
    },
  );

  test('logs, config check and config path still work', async (context) => {
    const world = await EdgeWorld.open(context);
    const stderr = `There is no log yet at ${world.logPath}\n`;
    expect(await world.cli('logs')).toEqual({ exitCode: 0, stdout: '', stderr });
    mkdirSync(world.state);
    writeFileSync(`${world.logPath}.2`, '[2026-01-01T00:00:00.000Z] [INFO] oldest\n');
    writeFileSync(`${world.logPath}.1`, '[2026-01-02T00:00:00.000Z] [INFO] older\n');
    writeFileSync(world.logPath, '[2026-01-03T00:00:00.000Z] [WARN] newest\n');
    const words = async (...args: string[]) =>
      (await world.cli('logs', ...args)).stdout.split('\n').map((line) => line.split('] ').at(-1));
    expect(await words()).toEqual(['oldest', 'older', 'newest', '']);
    expect(await words('-n', '2')).toEqual(['older', 'newest', '']);
    expect(await words('--level', 'warn')).toEqual(['newest', '']);
    expect(await words('--since', '2026-01-02')).toEqual(['older', 'newest', '']);
    const json = (await world.cli('logs', '--json', '-n', '1')).stdout;
    expect(JSON.parse(json)).toEqual({ time: '2026-01-03T00:00:00.000Z', level: 'warn', msg: 'newest' });
    expect(await world.cli('config', 'check')).toMatchObject({
      exitCode: 0,
      stdout: `Valid: ${world.configPath}\n`,
    });
    expect(await world.cli('config', 'path')).toMatchObject({ exitCode: 0, stdout: `${world.configPath}\n` });
    for (const secret of ['', "EDGE_SECRET='no end\n", 'EDGE_SECRET=keychain:\n']) {
      writeFileSync(world.envPath, secret);
      const { stdout, exitCode } = await world.cli('config', 'check');
      expect([stdout, exitCode]).toEqual([expect.stringContaining('Warning: secret_missing: '), 0]);
      const asJson = JSON.parse((await world.cli('config', 'check', '--json')).stdout);
      expect(asJson).toMatchObject({ valid: true });
      expect(asJson.warnings).toContainEqual(expect.stringMatching(/^secret_missing: /));
    }
    world.writeConfig({ 'outgoing.bubble_delay_ms': 'x', 'edge.user_phone': 'y' });
    const checked = await world.cli('config', 'check', '--json');
    expect(checked.exitCode).toBe(78);
    const { valid, mistakes } = JSON.parse(checked.stdout) as { valid: boolean; mistakes: { key: string }[] };
    expect([valid, mistakes.map(({ key }) => key)]).toEqual([
      false,
      ['edge.user_phone', 'outgoing.bubble_delay_ms'],
    ]);
    expect((await world.cli('config', 'check')).stderr).toContain('The configuration has 2 mistakes');
    const logs = await world.cli('logs', '-n', '1');
    expect(logs).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('newest') });
    rmSync(world.configPath);
    expect(await world.cli('config', 'path')).toMatchObject({ exitCode: 1, stdout: '' });
    expect(await world.cli('config', 'edit')).toMatchObject({ exitCode: 1, stdout: '' });
  });
});

describe('a pipe that closes', { concurrent: true }, () => {
  test.for([
    ['status', '--watch'],
    ['status', '--watch', '--json'],
    ['logs', '-f'],
    ['logs', '-n', '100000'],
    ['--help'],
    ['completions', 'zsh'],
  ])('%j ends without an error message', async (args, context) => {
    const world = await EdgeWorld.open(context);
    mkdirSync(world.state);
    writeFileSync(world.logPath, '[2026-01-03T00:00:00.000Z] [WARN] a line\n'.repeat(50_000));
    await world.start();
    const { cwd, env } = world.place;
    const child = spawn(process.execPath, [CLI, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaints += chunk;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const ended = once(child, 'close');
    if (args[0] === 'logs') await world.cli('kick');
    const [code, signal] = await ended;
    expect({ code, signal, complaints }).toEqual({ code: 0, signal: null, complaints: '' });
  });
});

test('a terminal without UTF-8 gets ASCII, programs get UTF-8', async (context) => {
  const world = await EdgeWorld.open(context, { secret: null });
  await world.startDegraded();
  const place = { ...world.place, env: { ...world.place.env, LANG: 'C' } };
  const screen = await runCli(['status'], place);
  expect(screen.exitCode).toBe(4);
  expect(screen.stdout).toMatch(/^\p{ASCII}+$/u);
  expect(screen.stdout).toContain('    -> Put EDGE_SECRET=...');
  for (const line of screen.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  expect((await runCli(['status', '--json'], place)).stdout).toContain('EDGE_SECRET=…');
  expect((await runCli(['status'], world.place)).stdout).toContain('    → Put EDGE_SECRET=…');
});
