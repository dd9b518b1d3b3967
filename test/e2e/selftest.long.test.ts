import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Report } from '../../src/diagnostics/checks/runChecks.js';
import { SELFTEST_WORDS } from '../../src/model/operatorApi.js';
import { EdgeWorld, OWN, PERSON, SECRET } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const verdicts = ({ checks }: Report) => Object.fromEntries(checks.map(({ id, verdict }) => [id, verdict]));

describe('edge-agent selftest', () => {
  test('has the running agent send the text, and the backend gets nothing about it', async (context) => {
    const world = await EdgeWorld.open(context);
    world.mac.chatDb.directChat(OWN);
    await world.start();
    world.behave({ kind: 'ok', row: { kind: 'delivered' } });
    const asked = world.cli('selftest', '--json', '--send');
    await world.sent(1);
    const [text = ''] = world.texts;
    expect(text).toMatch(new RegExp(`^${SELFTEST_WORDS} [0-9a-f]{8}$`));
    world.mac.chatDb.receive({ text, from: OWN, chat: world.mac.chatDb.directChat(OWN) });
    const { stdout } = await asked;
    const report = JSON.parse(stdout) as Report;
    expect(verdicts(report)).toMatchObject({
      config: 'PASS',
      'state-directory': 'PASS',
      agent: 'PASS',
      'chatdb-access': 'PASS',
      'chatdb-schema': 'PASS',
      'osascript-start': 'SKIP',
      send: 'PASS',
      echo: 'PASS',
      delivery: 'PASS',
    });
    expect(report.checks.find(({ id }) => id === 'send')?.evidence).toContain('by the running agent');
    const id = world.command('the backend hears of this one');
    await world.acked(id);
    await until(
      () => world.backend.events.length > 0,
      () => 'an event',
    );
    const told = JSON.stringify([world.backend.events, world.backend.messages]);
    expect(told).not.toContain('selftest');
    expect(told).not.toContain(OWN);
  });

  test('works without an agent, in plain words, and saves its results for this user alone', async (context) => {
    const world = await EdgeWorld.open(context);
    const { stdout, exitCode } = await world.cli('selftest');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^PASS {2}config /m);
    expect(stdout).toMatch(/^SKIP {2}send {14}requested by --send$/m);
    expect(stdout).toMatch(/\d+ PASS, \d+ WARN, 0 FAIL, \d+ SKIP/);
    const path = join(world.state, 'selftest.json');
    expect(stdout).toContain(`Saved: ${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).not.toContain(SECRET);
    expect(world.texts).toEqual([]);
  });

  test('writes a file that can be sent to others, on request', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'nobody else reads this' });
    await world.sent(2);
    const path = join(world.directory, 'to-send.json');
    const { stdout, exitCode } = await world.cli('selftest', '--report', path);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Report saved, without texts, numbers and secrets: ${path}`);
    const text = readFileSync(path, 'utf8');
    for (const hidden of [SECRET, OWN.slice(1), PERSON.slice(1), 'nobody else', world.directory])
      expect(text).not.toContain(hidden);
    expect((JSON.parse(text) as Report).checks.length).toBeGreaterThan(20);
    const again = await world.cli('selftest', '--json', '--report', path);
    expect(again).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('there is already a file of that name'),
    });
  });

  test('reports a broken configuration, skips what needs it, and exits with 78', async (context) => {
    const world = await EdgeWorld.open(context);
    world.writeConfig({ 'edge.user_phone': 'nonsense' });
    const { stdout, exitCode } = await world.cli('selftest', '--json');
    expect(exitCode).toBe(78);
    expect(verdicts(JSON.parse(stdout) as Report)).toMatchObject({
      node: 'PASS',
      config: 'FAIL',
      send: 'SKIP',
    });
    expect(existsSync(join(world.state, 'selftest.json'))).toBe(true);
  });
});
