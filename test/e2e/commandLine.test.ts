import { describe, expect, test } from 'vitest';
import { packageVersion } from '../../src/system/version.js';
import { DaemonProcess } from '../support/DaemonProcess.js';
import { EdgeWorld, PERSON, REALTIME } from '../support/EdgeWorld.js';

describe('the command line', { concurrent: true, timeout: 60_000 }, () => {
  test('--config counts before and after the verb', async (context) => {
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
    const { exitCode, stdout, stderr } = await world.cli('demo');
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
});
