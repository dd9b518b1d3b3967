import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DrivenClock } from '../support/DrivenClock.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { untilIdle } from '../support/statusOf.js';

const MINUTE_MS = 60_000;

/** The backend does not send when it made the command. */
function undated(world: EdgeWorld, text: string): string {
  const payload = { thread_id: PERSON, text };
  return world.backend.pushCommand({ command_type: 'send_message_now', payload, timestamp: '' }).commandId;
}

test('after a restore a command without a timestamp is doubted for ten minutes, also where the backend is reached by the WebSocket alone', async (context) => {
  const time = new DrivenClock(() => false);
  const world = await EdgeWorld.open(context, { backendClock: time.clock });
  context.onTestFinished(() => time.close());
  expect(await (await world.start()).kill('SIGTERM')).toMatchObject({ code: 0 });
  const copy = join(world.directory, 'backup');
  const filter = (path: string) => !path.endsWith('.sock');
  cpSync(world.state, copy, { recursive: true, preserveTimestamps: true, filter });
  const forgotten = await world.start();
  await world.acked(undated(world, 'once'));
  expect(await forgotten.kill('SIGTERM')).toMatchObject({ code: 0 });
  rmSync(world.state, { recursive: true });
  cpSync(copy, world.state, { recursive: true, preserveTimestamps: true });

  world.backend.failHttp(503, Number.POSITIVE_INFINITY);
  time.drive(world);
  await world.start();
  await time.advance(5 * MINUTE_MS);
  const doubted = await world.acked(undated(world, 'once'));
  expect(doubted).toMatchObject({ status: 'failed', result: { outcome: 'unknown' } });
  // Where the socket is lost as time runs ahead of it, that does not count.
  let status: unknown;
  while (status !== 'completed') {
    await time.advance(6 * MINUTE_MS);
    status = (await world.acked(undated(world, 'once'))).status;
  }
  await untilIdle(world.state);
  expect(world.texts).toEqual(['once', 'once']);
});
