import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ChatDbWriter } from '../../src/kit/messages/ChatDbWriter.js';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { untilIdle } from '../support/statusOf.js';
import { until } from '../support/until.js';

const persona = () => ({ reflex: 'one sec', bubbles: ['found it'], inReplyTo: true });

function copyOf(world: EdgeWorld): string {
  const copy = join(world.directory, 'backup');
  const filter = (path: string) => !path.endsWith('.sock');
  cpSync(world.state, copy, { recursive: true, preserveTimestamps: true, filter });
  return copy;
}

function putBack(world: EdgeWorld, copy: string): void {
  rmSync(world.state, { recursive: true });
  cpSync(copy, world.state, { recursive: true, preserveTimestamps: true });
}

/** How many reflexes the store has that have not gone out. */
function waitingReflexes(world: EdgeWorld): unknown {
  const database = openDatabase(join(world.state, 'edge-agent.db'));
  try {
    const select = "SELECT count(*) FROM sends WHERE role = 'reflex' AND state IN ('queued', 'waiting')";
    return database.prepare(select).pluck().get();
  } finally {
    database.close();
  }
}

describe('a reflex that is offered again before a restored agent has read its message', () => {
  test.for([
    ['under the guid of a copy', true],
    ['twice, as it was posted twice', false],
  ] as const)('%s is seen once', async ([, isCopied], context) => {
    const world = await EdgeWorld.open(context, { persona });
    const stop = async (daemon: Awaited<ReturnType<EdgeWorld['start']>>) =>
      expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    await stop(await world.start());
    const copy = copyOf(world);
    const daemon = await world.start();
    const timestamp = new Date().toISOString();
    const { guid } = world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
    await world.sent(2);
    await untilIdle(world.state);
    await stop(daemon);
    if (isCopied) {
      world.mac.chatDb.rewrites.rewrite(guid);
      world.mac.chatDb.rewrites.rebuild((rowIds) => rowIds.toReversed());
    }
    putBack(world, copy);
    world.mac.chatDb.close();
    const locked = openDatabase(world.mac.chatDbPath);
    locked.pragma('locking_mode = EXCLUSIVE');
    locked.exec('BEGIN EXCLUSIVE');
    await world.startDegraded();
    const count = isCopied ? 1 : 2;
    const payload = { thread_id: PERSON, text: 'one sec', bubble_type: 'reflex', in_reply_to: guid };
    for (let nth = 0; nth < count; nth++)
      world.backend.pushCommand({ command_type: 'send_message_now', payload, timestamp });
    await until(
      () => waitingReflexes(world) === count,
      () => 'the reflexes to be stored',
    );
    locked.exec('COMMIT');
    locked.close();
    const writer = new ChatDbWriter(world.mac.chatDbPath, { version: 15 });
    context.onTestFinished(() => writer.close());
    await world.backend.until(({ journal }) => journal.replies.length === 2);
    await untilIdle(world.state);
    expect(world.texts).toEqual(['one sec', 'found it']);
  });
});

describe('a copy that is put back within seconds of a kill', () => {
  test('sends no text again of which Messages writes the row later', async (context) => {
    const world = await EdgeWorld.open(context);
    expect(await (await world.start()).kill('SIGTERM')).toMatchObject({ code: 0 });
    const copy = copyOf(world);
    const doomed = await world.start();
    world.behave({ kind: 'ok', slowMs: 6_000 });
    const id = world.command('once');
    await world.calls(1);
    await doomed.kill('SIGKILL');
    putBack(world, copy);
    await world.start();
    // The backend has no ack of it, and offers it again.
    expect(await world.acked(id)).toMatchObject({ status: 'completed', result: { confirmed: true } });
    await untilIdle(world.state);
    expect(readCalls(world.mac.osascriptDirectory)).toHaveLength(1);
    const told = world.backend.journal.events.map(({ body }) => body.event_type);
    expect(told).not.toContain('operator_replied');
    expect(world.texts).toEqual(['once']);
  });
});
