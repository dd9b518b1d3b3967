import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EdgeWorld } from '../support/EdgeWorld.js';

describe('a configuration with mistakes', { concurrent: true }, () => {
  test('is refused with every mistake at once, and nothing is started', async (context) => {
    const world = await EdgeWorld.open(context);
    const lines = [
      'edge:',
      '  user_phone: 3105550100',
      'backend:',
      `  url: ${world.backend.url}`,
      '  sync_interval_seconds: 0',
      '  request_timeout_seconds: soon',
      'websocket:',
      '  ping_interval_second: 30',
      'imessage:',
      '  send_timeout_seconds: 601',
      'outgoing:',
      '  bubble_delay_ms: -1',
      'state:',
      `  directory: ${world.state}`,
      'loging:',
      '  level: info',
    ];
    writeFileSync(world.configPath, `${lines.join('\n')}\n`);
    const { exitCode, stdout, stderr } = await world.cli('run');
    expect(exitCode).toBe(78);
    expect(stdout).toBe('');
    expect(stderr).toContain('The configuration has 7 mistakes:');
    const told = stderr.split('\n').filter((line) => line.startsWith('  config.yaml:'));
    expect(told.map((line) => line.trim().split(' found ')[0])).toEqual([
      'config.yaml:2  edge.user_phone:',
      'config.yaml:5  backend.sync_interval_seconds:',
      'config.yaml:6  backend.request_timeout_seconds:',
      'config.yaml:8  websocket.ping_interval_second:',
      'config.yaml:10  imessage.send_timeout_seconds:',
      'config.yaml:12  outgoing.bubble_delay_ms:',
      'config.yaml:15  loging:',
    ]);
    for (const line of told) expect(line).toMatch(/found .+, expected /);
    expect(stderr).toContain('found "soon"');
    expect(stderr).toMatch(/did you mean .*ping_interval_seconds/i);
    expect(stderr).toMatch(/did you mean .*logging/i);
    expect(existsSync(world.state)).toBe(false);
    expect(world.backend.registrations).toEqual([]);
    expect(world.backend.journal.refusals).toEqual([]);
  });

  test('is refused when a named file does not exist', async (context) => {
    const world = await EdgeWorld.open(context);
    const { exitCode, stderr } = await world.cli('run', '--config', 'elsewhere.yaml');
    expect(exitCode).toBe(78);
    expect(stderr).toContain('elsewhere.yaml');
    expect(existsSync(world.state)).toBe(false);
  });

  test('is refused when a mistake is in .env or the environment, which is named without its secret', async (context) => {
    const world = await EdgeWorld.open(context);
    writeFileSync(world.envPath, "EDGE_SECRET='never-shown-4711'\nUSER_PHONE=never-shown-4711\n", {
      mode: 0o600,
    });
    const { exitCode, stderr } = await world.cli('run');
    expect(exitCode).toBe(78);
    expect(stderr).toContain('.env:2  edge.user_phone:');
    expect(stderr).not.toContain('never-shown-4711');
    expect(existsSync(world.state)).toBe(false);
  });
});
