import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askSocket } from '../../src/operator/askDaemon.js';
import { StatusServer } from '../../src/operator/StatusServer.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { until } from '../support/until.js';

const answer = { kind: 'answered', result: 'here' };
const ask = (path: string) => askSocket(path, { verb: 'where' });

async function listen(path: string): Promise<FakeClock> {
  const clock = new FakeClock();
  const server = await StatusServer.listen(path, { where: () => 'here' }, new RecordingLog(), clock);
  onTestFinished(async () => {
    await server.close();
    expect(clock.pending).toBe(0);
  });
  return clock;
}

async function answersAgain(path: string, clock: FakeClock): Promise<void> {
  await until(
    async () => {
      await clock.advanceAsync(2_000);
      return (await ask(path)).kind === 'answered';
    },
    () => 'the socket to be there again',
  );
  expect(await ask(path)).toEqual(answer);
  expect(statSync(path).mode & 0o777).toBe(0o600);
}

test('a socket that is deleted is recreated, each time', async () => {
  const path = join(temporaryDirectory(), 'edge-agent.sock');
  const clock = await listen(path);
  for (let time = 0; time < 3; time += 1) {
    rmSync(path);
    await answersAgain(path, clock);
  }
});

test('it is recreated where its whole folder was deleted, and where something else took its place', async () => {
  const path = join(temporaryDirectory(), 'folder', 'edge-agent.sock');
  const clock = await listen(path);
  rmSync(dirname(path), { recursive: true });
  await answersAgain(path, clock);
  rmSync(path);
  writeFileSync(path, 'not a socket');
  await answersAgain(path, clock);
});

test('a socket that is not touched stays the same', async () => {
  const path = join(temporaryDirectory(), 'edge-agent.sock');
  const clock = await listen(path);
  const { ino } = statSync(path);
  await clock.advanceAsync(10_000);
  expect(statSync(path).ino).toBe(ino);
});

test.each([
  ['nothing', ''],
  ['half a request', '{"verb":'],
])('300 connections that send %s keep no request out, and are closed in time', async (_, beginning) => {
  const path = join(temporaryDirectory(), 'edge-agent.sock');
  const clock = await listen(path);
  const sockets: Socket[] = [];
  const closed: Promise<unknown>[] = [];
  for (let index = 0; index < 300; index++) {
    const socket = connect(path);
    closed.push(new Promise((resolve) => socket.once('close', resolve)));
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(beginning);
    sockets.push(socket);
  }
  // All are as young as can be: none has to give way yet.
  expect(await ask(path)).toEqual(answer);
  await clock.advanceAsync(200);
  expect(await ask(path)).toEqual(answer);
  const oldest = Promise.all(closed.slice(0, 300 - 64));
  await oldest;
  await clock.advanceAsync(5_000);
  await Promise.all(closed);
});

test('a folder that others may write to is made private first', async () => {
  const folder = join(temporaryDirectory(), 'open');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  await listen(join(folder, 'edge-agent.sock'));
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test.runIf(process.getuid?.() === 0)('a folder of another user is refused', async () => {
  const folder = join(temporaryDirectory(), 'foreign');
  mkdirSync(folder);
  chownSync(folder, 65_534, 65_534);
  const server = StatusServer.listen(join(folder, 'a.sock'), {}, new RecordingLog(), new FakeClock());
  await expect(server).rejects.toMatchObject({ code: 'state_unwritable' });
});
