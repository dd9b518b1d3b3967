import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { extract } from 'tar';
import { describe, expect, test } from 'vitest';
import { silent } from '../../src/kit/backend/persona.js';
import type { SettingInForce } from '../../src/model/operatorApi.js';
import { type Cleanup, EdgeWorld, PERSON, REALTIME, SECRET } from '../support/EdgeWorld.js';
import { FakeKeychain } from '../support/FakeKeychain.js';

async function setting(world: EdgeWorld, key: string): Promise<SettingInForce | undefined> {
  const { stdout } = await world.cli('config', 'show', '--json');
  const { settings } = JSON.parse(stdout) as { settings: SettingInForce[] };
  return settings.find((one) => one.key === key);
}

/** Saves as most editors do: a file beside it, then a rename. */
function saveByRename(world: EdgeWorld, settings: Record<string, unknown>): void {
  world.writeConfig(settings);
  const text = readFileSync(world.configPath);
  const beside = join(world.configPath, '..', '.config.yaml.new');
  writeFileSync(beside, text);
  renameSync(beside, world.configPath);
}

describe('a configuration that is changed while the agent runs', {
  concurrent: true,
}, () => {
  test('takes effect at once, saved in place or by rename', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const daemon = await world.start();
    world.writeConfig({ 'logging.level': 'debug', 'outgoing.max_per_minute': 7 });
    const line = await daemon.line('The configuration was changed');
    expect(line).toContain('keys=outgoing.max_per_minute,logging.level');
    saveByRename(world, { 'privacy.redact': ['email'], 'logging.format': 'json' });
    await daemon.line('"msg":"The configuration was changed"');
    world.mac.chatDb.receive({ from: PERSON, text: 'write to jane@example.com' });
    await world.backend.until(() => world.backend.messages.length === 1);
    expect(world.backend.messages[0]?.body).toMatchObject({ filtered_text: 'write to [email]' });
    expect(await setting(world, 'privacy.redact')).toMatchObject({ value: ['email'], source: 'file' });
    expect(await setting(world, 'outgoing.max_per_minute')).toMatchObject({ value: 30, source: 'default' });
  });

  test('with mistakes is refused completely and visibly, until it is fixed', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    world.writeConfig({ 'logging.level': 'loud', 'outgoing.max_per_minute': -1, 'acks.scheduled': 'sent' });
    const refused = await daemon.line('The changed configuration is invalid');
    expect(refused).toContain('[ERROR]');
    const { snapshot } = await daemon.statusUntil(({ exitCode }) => exitCode === 4);
    expect(snapshot?.problems).toMatchObject([
      { code: 'config_invalid', message: expect.stringMatching(/max_per_minute.*; .*logging\.level/) },
    ]);
    expect(await setting(world, 'acks.scheduled')).toMatchObject({ value: 'both' });
    writeFileSync(world.configPath, '{ edge: [');
    await daemon.line(/is invalid: .*syntax/);
    rmSync(world.configPath);
    await daemon.line(
      `The configuration file ${world.configPath} was removed. The previous configuration stays in use.`,
    );
    world.writeConfig({ 'acks.scheduled': 'sent' });
    await daemon.line('The configuration is valid again');
    await daemon.statusUntil(({ exitCode }) => exitCode === 0);
    expect(await setting(world, 'acks.scheduled')).toMatchObject({ value: 'sent' });
  });

  test('with mistakes is logged without the phone numbers and addresses in it', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    const texts = { 'forward.allow': '+4915112345678 jane@x.de', 'edge.user_phone': '0151 12345678' };
    world.writeConfig(texts);
    const refused = await daemon.line('The changed configuration is invalid');
    expect(refused).toContain('forward.allow: found "+4•••5678 j•••@x.de"');
    expect(refused).toContain('edge.user_phone: found "0•••5678"');
  });

  test('names what waits for a restart, applies the rest, and knows when the change was undone', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    world.writeConfig({ 'monitor.port': 4100, 'acks.scheduled': 'sent' });
    expect(await daemon.line('takes effect after a restart')).toContain('keys=monitor.port');
    const { snapshot } = await daemon.statusUntil(({ exitCode }) => exitCode === 4);
    expect(snapshot?.problems).toMatchObject([
      {
        code: 'config_needs_restart',
        message: expect.stringContaining('monitor.port'),
        remedy: expect.stringContaining('stop it (Ctrl-C), then edge-agent run'),
      },
    ]);
    expect(await setting(world, 'monitor.port')).toMatchObject({ value: 3100, restart: true, pending: 4100 });
    expect(await setting(world, 'acks.scheduled')).toMatchObject({ value: 'sent', restart: false });
    world.writeConfig({ 'acks.scheduled': 'sent' });
    await daemon.line('No configuration change needs a restart any more');
    await daemon.statusUntil(({ exitCode }) => exitCode === 0);
  });

  test('names the restart of a service, whose configuration was good from its start', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = world.spawn(['run', '--service']);
    await daemon.statusUntil(({ exitCode }) => exitCode === 0);
    world.writeConfig({ 'monitor.port': 4100 });
    const { snapshot } = await daemon.statusUntil(({ exitCode }) => exitCode === 4);
    expect(snapshot?.problems).toMatchObject([
      { code: 'config_needs_restart', remedy: expect.stringContaining('by what started it') },
    ]);
  });

  test('leaves the log where it is until a restart, and logs finds it there', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    world.writeConfig({ 'logging.file': join(world.directory, 'other.log') });
    await daemon.line('takes effect after a restart');
    const { stdout, stderr } = await world.cli('logs');
    expect(stdout).toContain('takes effect after a restart');
    expect(stderr).toBe('');
    const judged = await world.cli('doctor', '--bundle', 'bundle.tar.gz');
    expect(judged.stdout).toMatch(/PASS {2}log-size/);
    await extract({ file: join(world.directory, 'bundle.tar.gz'), cwd: world.directory });
    const collected = readFileSync(join(world.directory, 'edge-agent-bundle', 'edge-agent.log'), 'utf8');
    expect(collected).toContain('takes effect after a restart');
  });

  test('is overridden by the backend’s settings and the environment; .env is read as well', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    world.backend.pushConfigUpdate({ outgoing: { bubble_delay_ms: 111 } });
    await daemon.line('The backend set outgoing.bubble_delay_ms');
    world.writeConfig({ 'outgoing.bubble_delay_ms': 222, 'acks.scheduled': 'sent' });
    expect(await daemon.line('The configuration was changed')).toMatch(/keys=acks\.scheduled$/);
    expect(await setting(world, 'outgoing.bubble_delay_ms')).toMatchObject({ value: 111, source: 'remote' });
    await world.cli('config', 'reset-remote');
    expect(await setting(world, 'outgoing.bubble_delay_ms')).toMatchObject({ value: 222, source: 'file' });
    const from = daemon.lines().length;
    writeFileSync(world.envPath, `${readFileSync(world.envPath, 'utf8')}EDGE_OUTGOING_BUBBLE_DELAY_MS=333\n`);
    await daemon.line('keys=outgoing.bubble_delay_ms', from);
    expect(await setting(world, 'outgoing.bubble_delay_ms')).toMatchObject({ value: 333, source: '.env' });
  });

  test('that cannot be read for a moment changes nothing', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    writeFileSync(world.configPath, Buffer.from([0xff, 0xfe, 0x00]));
    await daemon.line(/not UTF-8.*The previous configuration stays in use/);
    world.command('still sending');
    await world.sent(1);
  });
});

describe('a secret in the Keychain', { concurrent: true }, () => {
  async function withKeychain(context: Cleanup) {
    const world = await EdgeWorld.open(context, { secret: null });
    const keychain = new FakeKeychain(world.directory);
    keychain.put(SECRET);
    writeFileSync(world.envPath, 'EDGE_SECRET=keychain:mine\n', { mode: 0o600 });
    Object.assign(world.place.env, { STAND_IN_PROGRAMS: world.directory });
    return { world, keychain };
  }

  test('that is locked stays in force when the configuration is saved, and the link stays up', async (context) => {
    const { world, keychain } = await withKeychain(context);
    const daemon = await world.start();
    keychain.lock();
    world.writeConfig({ 'acks.scheduled': 'sent' });
    await daemon.line('The configuration was changed');
    expect(daemon.lines().filter((line) => line.includes('the Keychain'))).toEqual([
      expect.stringMatching(
        /\[WARN\] EDGE_SECRET .*\(mine\): it is locked.* The previous secret stays in use\./,
      ),
    ]);
    const { snapshot } = await daemon.status();
    expect(snapshot?.problems).toEqual([]);
    keychain.unlock();
    world.writeConfig({ 'acks.scheduled': 'both' });
    await daemon.line('No secret is waiting for the Keychain any more');
    expect(daemon.lines().filter((line) => line.includes(REALTIME))).toHaveLength(1);
    expect(daemon.lines().join('\n')).not.toContain('The secrets changed');
  });

  test('that was locked at the start is read at a kick, without a restart', async (context) => {
    const { world, keychain } = await withKeychain(context);
    keychain.lock();
    const daemon = await world.startDegraded();
    await daemon.statusUntil(({ snapshot }) =>
      Boolean(snapshot?.problems.some(({ code }) => code === 'secret_missing')),
    );
    keychain.unlock();
    expect((await world.cli('kick')).exitCode).toBe(0);
    await daemon.line(REALTIME);
    expect(world.log().some((line) => line.includes('The secrets changed: using the new ones'))).toBe(true);
  });

  test('that was never read does not prevent another one from being used', async (context) => {
    const { world, keychain } = await withKeychain(context);
    keychain.lock();
    const daemon = await world.startDegraded();
    writeFileSync(world.envPath, `EDGE_SECRET='${SECRET}'\nREGISTRATION_TOKEN=keychain:other\n`);
    await daemon.line(REALTIME);
    expect(daemon.lines().join('\n')).toContain(
      'REGISTRATION_TOKEN cannot be read from the Keychain (other)',
    );
  });
});
