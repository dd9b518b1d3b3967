import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageVersion } from '../../src/system/version.js';
import { DaemonProcess } from '../support/DaemonProcess.js';
import { AGENT_ID, EdgeWorld, PERSON, REALTIME } from '../support/EdgeWorld.js';
import { PATIENCE_MS } from '../support/patience.js';
import { runCli } from '../support/runCli.js';

describe('the command line', { concurrent: true }, () => {
  test('--config works before and after the verb', async (context) => {
    const world = await EdgeWorld.open(context);
    const elsewhere = { ...world.place, cwd: '/' };
    const before = DaemonProcess.spawn(elsewhere, { verb: ['--config', world.configPath, 'run'] });
    context.onTestFinished(() => before.dispose());
    await before.line(REALTIME);
    expect(await before.kill('SIGTERM')).toMatchObject({ code: 0 });
    const after = DaemonProcess.spawn(elsewhere, { config: world.configPath });
    context.onTestFinished(() => after.dispose());
    await after.line(REALTIME);
    expect((await after.status()).exitCode).toBe(0);
    expect((await world.cli('--config', world.configPath, 'status')).exitCode).toBe(0);
  });

  test('--help shows examples, --version the version', async (context) => {
    const world = await EdgeWorld.open(context);
    const help = await world.cli('--help');
    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    expect(help.stdout).toContain('Examples:');
    expect(help.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    for (const verb of ['run', 'status', 'demo', 'dev-backend']) {
      expect(help.stdout).toMatch(new RegExp(`\\$ edge-agent ${verb}\\b`));
    }
    expect(await world.cli('--version')).toEqual({
      exitCode: 0,
      stdout: `${packageVersion()}\n`,
      stderr: '',
    });
  });

  test.for([
    [['stauts'], 'status'],
    [['run', '--confg', 'x.yaml'], '--config'],
    [['status', '--jsn'], '--json'],
  ] as const)('%j is refused with exit 2 and a suggestion', async ([args, meant], context) => {
    const world = await EdgeWorld.open(context);
    const { exitCode, stdout, stderr } = await world.cli(...args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(new RegExp(`Did you mean ${meant}\\?`));
  });

  test('demo shows everything that it promises and ends with 0', async (context) => {
    const world = await EdgeWorld.open(context);
    // A complete run of an agent, with a process for each text.
    const { exitCode, stdout, stderr } = await runCli(['demo'], world.place, 4 * PATIENCE_MS);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/(\d+) of \1 promises kept/);
    expect(exitCode).toBe(0);
  });

  test('an agent works against the dev-backend', async (context) => {
    const world = await EdgeWorld.open(context);
    const backend = world.spawn(['dev-backend', '--port', '0']);
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(await backend.line('listens on')) ?? [];
    world.writeConfig({ 'backend.url': url });
    world.writeSecret('dev-secret');
    const daemon = await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'hello, dev-backend' });
    await world.sent(2);
    expect((await daemon.statusUntil(({ snapshot }) => snapshot?.acks_undelivered === 0)).exitCode).toBe(0);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(await backend.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['one sec', 'you said: hello, dev-backend']);
  });

  test('the dev-backend keeps its commands through kill -9, and answers as its persona file says', async (context) => {
    const world = await EdgeWorld.open(context);
    const persona = join(world.place.cwd, 'persona.mjs');
    writeFileSync(persona, 'export const persona = ({ filtered_text }) => filtered_text + "? indeed";');
    const verb = ['dev-backend', '--port', '0', '--persona', persona, '--admin-key', 'the-admin'];
    const listen = async () => {
      const backend = world.spawn(verb);
      const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(await backend.line('listens on')) ?? [];
      return { backend, url };
    };
    const first = await listen();
    const asked = await fetch(`${first.url}/api/send-message`, {
      method: 'POST',
      headers: { 'X-Admin-Key': 'the-admin' },
      body: JSON.stringify({ edge_agent_id: AGENT_ID, thread_id: PERSON, message: 'still there' }),
    });
    expect(await asked.json()).toMatchObject({ delivery: 'polling' });
    await first.backend.kill('SIGKILL');
    const { url } = await listen();
    world.writeConfig({ 'backend.url': url });
    world.writeSecret('dev-secret');
    await world.start();
    await world.sent(1);
    world.mac.chatDb.receive({ from: PERSON, text: 'from a file' });
    await world.sent(2);
    expect(world.texts).toEqual(['still there', 'from a file? indeed']);
  });

  test('the dev-backend names the persona that may be at fault when an error in a timer ends it', async (context) => {
    const world = await EdgeWorld.open(context);
    const persona = join(world.place.cwd, 'persona.mjs');
    writeFileSync(
      persona,
      'setImmediate(() => { throw new Error("out of reach"); });export default () => "hi";',
    );
    const ended = await world.cli('dev-backend', '--port', '0', '--persona', persona);
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toContain(
      `edge-agent: The backend ends because of an uncaught error: out of reach\nIf it comes from ${persona}:`,
    );
  });

  test('the dev-backend is in production however that is spelled, and then requires keys of its own', async (context) => {
    const world = await EdgeWorld.open(context);
    for (const ENVIRONMENT of ['production', ' Production ', 'PRODUCTION']) {
      const place = { ...world.place, env: { ...world.place.env, ENVIRONMENT } };
      const ended = await runCli(['dev-backend', '--port', '0'], place);
      expect([ENVIRONMENT, ended.exitCode, ended.stdout]).toEqual([ENVIRONMENT, 1, '']);
      expect(ended.stderr).toContain('A backend in production is open to others');
    }
  });

  test('the dev-backend refuses invalid options, and a network without a secret', async (context) => {
    const world = await EdgeWorld.open(context);
    for (const [option, value, exitCode] of [
      ['--port', 'http', 2],
      ['--rate', 'fast', 2],
      ['--persona', 'charming', 2],
      ['--persona', './missing.mjs', 2],
      ['--data', '/nowhere/commands.sqlite', 1],
      ['--host', '0.0.0.0', 1],
    ] as const) {
      const ended = await world.cli('dev-backend', '--port', '0', option, value);
      expect([option, ended.exitCode, ended.stdout]).toEqual([option, exitCode, '']);
      expect(ended.stderr).not.toBe('');
    }
  });
});
