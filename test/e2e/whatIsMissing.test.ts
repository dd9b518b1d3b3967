import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DaemonProcess, StatusAnswer } from '../support/DaemonProcess.js';
import { EdgeWorld, PERSON, REALTIME, SECRET } from '../support/EdgeWorld.js';

/** The status says that the agent is degraded by this, and what to do. */
async function degradedBy(daemon: DaemonProcess, code: string): Promise<StatusAnswer> {
  const hasIt = ({ snapshot }: StatusAnswer) =>
    snapshot?.problems.some((problem) => problem.code === code) ?? false;
  const answer = await daemon.statusUntil(hasIt);
  expect(answer.exitCode).toBe(4);
  expect(answer.snapshot?.state).toBe('degraded');
  const problem = answer.snapshot?.problems.find((one) => one.code === code);
  expect(problem?.message).not.toBe('');
  expect(problem?.remedy.length).toBeGreaterThan(10);
  expect(Date.parse(problem?.since ?? '')).not.toBeNaN();
  return answer;
}

async function healthyAgain(daemon: DaemonProcess): Promise<void> {
  const { exitCode } = await daemon.statusUntil(({ snapshot }) => snapshot?.state === 'healthy');
  expect(exitCode).toBe(0);
}

/** The whole path works now: a message is answered. */
async function answers(world: EdgeWorld, daemon: DaemonProcess): Promise<void> {
  world.mac.chatDb.receive({ from: PERSON, text: 'still there?' });
  await world.sent(2);
  expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  expect(world.texts).toEqual(['one sec', 'you said: still there?']);
}

describe('the daemon stays up, reports what is missing, and continues once it is there', {
  concurrent: true,
}, () => {
  test('without chat.db', async (context) => {
    const world = await EdgeWorld.open(context, { withoutMessages: true });
    const daemon = await world.start();
    await degradedBy(daemon, 'chatdb_missing');
    const screen = await world.cli('status');
    expect(screen.exitCode).toBe(4);
    expect(screen.stdout).toContain('chatdb_missing');
    world.openMessages();
    await daemon.line('chat.db can be read again');
    await healthyAgain(daemon);
    await answers(world, daemon);
  });

  test('with something in its place that cannot be read', async (context) => {
    const world = await EdgeWorld.open(context, { withoutMessages: true });
    const path = join(world.directory, 'Messages', 'chat.db');
    mkdirSync(path, { recursive: true });
    const daemon = await world.start();
    await degradedBy(daemon, 'chatdb_unreadable');
    rmSync(dirname(path), { recursive: true });
    world.openMessages();
    await daemon.line('chat.db can be read again');
    await healthyAgain(daemon);
    await answers(world, daemon);
  });

  test('without a secret', async (context) => {
    const world = await EdgeWorld.open(context, { secret: null });
    const daemon = await world.startDegraded();
    const { snapshot } = await degradedBy(daemon, 'secret_missing');
    expect(snapshot?.problems.find(({ code }) => code === 'secret_missing')?.remedy).toContain('EDGE_SECRET');
    world.writeSecret(SECRET);
    await daemon.line(REALTIME);
    await healthyAgain(daemon);
    await answers(world, daemon);
    expect(world.log().join('\n')).not.toContain(SECRET);
  });

  test('with a secret that is removed, and then a wrong one, while the link is up', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    await healthyAgain(daemon);
    rmSync(world.envPath);
    await degradedBy(daemon, 'secret_missing');
    await daemon.line('there is neither EDGE_SECRET nor EDGE_TOKEN now');
    world.writeSecret('a-wrong-secret-9c4d');
    await degradedBy(daemon, 'backend_unauthorised');
    world.writeSecret(SECRET);
    await healthyAgain(daemon);
    await answers(world, daemon);
  });

  test('with a backend to which the plain secret may not be sent', async (context) => {
    const settings = { 'backend.url': 'https://backend.example.invalid', 'auth.mode': 'secret' };
    const world = await EdgeWorld.open(context, { settings });
    const daemon = await world.startDegraded();
    await degradedBy(daemon, 'plain_secret_refused');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    world.writeConfig({});
    await healthyAgain(await world.start());
  });

  test('with a wrong secret', async (context) => {
    const wrong = 'a-wrong-secret-2b1e';
    const world = await EdgeWorld.open(context, { secret: wrong });
    const daemon = await world.startDegraded();
    const { snapshot } = await degradedBy(daemon, 'backend_unauthorised');
    expect(snapshot?.problems.find(({ code }) => code === 'backend_unauthorised')?.remedy).toContain(
      'EDGE_SECRET',
    );
    expect(world.backend.journal.refusals.map(({ code }) => code)).toContain(1008);
    world.writeSecret(SECRET);
    await daemon.line(REALTIME);
    await healthyAgain(daemon);
    await answers(world, daemon);
    expect(world.log().join('\n')).not.toContain(wrong);
  });

  test('with a backend that refuses every upgrade and request with 401', async (context) => {
    const world = await EdgeWorld.open(context);
    world.backend.refuseUpgrades(401);
    world.backend.failHttp(401, Number.POSITIVE_INFINITY);
    const daemon = await world.startDegraded();
    await degradedBy(daemon, 'backend_unauthorised');
    await daemon.line('HTTP polling failed');
    world.backend.refuseUpgrades(null);
    world.backend.clearHttpFaults();
    await daemon.line(REALTIME);
    await healthyAgain(daemon);
    await answers(world, daemon);
  });

  test('with a backend that is down, and a message that arrives meanwhile', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.backend.goDown();
    const daemon = await world.startDegraded();
    world.mac.chatDb.receive({ from: PERSON, text: 'still there?' });
    await degradedBy(daemon, 'backend_unreachable');
    const { snapshot } = await daemon.status();
    expect(snapshot).toMatchObject({ link: 'offline', incoming_queued: 1 });
    await world.backend.comeBack();
    await daemon.line(REALTIME);
    await world.sent(2);
    await healthyAgain(daemon);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['one sec', 'you said: still there?']);
  });
});
