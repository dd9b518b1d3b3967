import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scripted } from '../../src/kit/backend/persona.js';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { untilIdle } from '../support/statusOf.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';
import { ANSWER, message } from './stories.js';

const TEXT = 'exactly once, please';
const KILLED = { code: null, signal: 'SIGKILL' };

describe('kill -9 while something is in progress, between two steps', {
  concurrent: true,
}, () => {
  test.for(['reflexFirst', 'replyFirst', 'both'] as const)(
    'a message that the backend has, and whose reply no process receives, is answered once (%s)',
    async (order, context) => {
      const world = await EdgeWorld.open(context, { persona: scripted([ANSWER]) });
      const { backend } = world;
      backend.holdReply();
      const doomed = await world.start();
      message.begin(world);
      await backend.until(({ held }) => held.length === 1);
      expect(await doomed.kill('SIGKILL')).toEqual(KILLED);

      await world.start();
      await backend.until(({ messages }) => messages.length === 2);
      await backend.release(order);
      await world.sent(message.texts.length);
      await untilIdle(world.state);
      expect(world.texts).toEqual(message.texts);
      expect(backend.messages.map(({ repeat }) => repeat)).toEqual([false, true]);
    },
  );

  test('an ack whose pong no process receives is sent again, and its text is not', async (context) => {
    const world = await EdgeWorld.open(context);
    const { backend } = world;
    const doomed = await world.start();
    backend.holdPongs('json');
    const commandId = world.command(TEXT);
    await world.acked(commandId);
    expect(await doomed.kill('SIGKILL')).toEqual(KILLED);

    const heard = backend.acks.length;
    backend.releasePongs();
    await world.start();
    await untilIdle(world.state);
    expect(backend.acks.length).toBeGreaterThan(heard);
    const told = backend.acks.map(({ body }) => [body.command_id, body.revision, body.status]);
    expect(new Set(told.map(String))).toEqual(new Set([[commandId, 1, 'completed'].map(String).join()]));
    expect(world.texts).toEqual([TEXT]);
  });

  test('an osascript that continues without the agent is waited for', async (context) => {
    const gate = join(temporaryDirectory(context), 'gate');
    const { world, commandId } = await killedWhileSending(context, { kind: 'ok', heldUntil: gate });
    await world.start();
    expect(world.texts).toEqual([]);
    writeFileSync(gate, '');
    expect(await world.acked(commandId)).toMatchObject({ result: { outcome: 'sent', confirmed: true } });
    expect(readCalls(world.mac.osascriptDirectory)).toHaveLength(1);
    expect(world.texts).toEqual([TEXT]);
  });

  test('an osascript that was killed with the agent before it asked Messages is repeated', async (context) => {
    const { world, commandId } = await killedWhileSending(context, { kind: 'hang', when: 'before' });
    for (const { pid } of readCalls(world.mac.osascriptDirectory)) process.kill(pid, 'SIGKILL');
    await world.start();
    expect(await world.acked(commandId)).toMatchObject({ result: { outcome: 'sent', confirmed: true } });
    expect(readCalls(world.mac.osascriptDirectory)).toHaveLength(2);
    expect(world.texts).toEqual([TEXT]);
  });

  test('an osascript that was killed with the agent after it asked Messages is not: the row proves its text', async (context) => {
    const { world, commandId } = await killedWhileSending(context, { kind: 'hang', when: 'after' });
    await world.inChatDb(1);
    for (const { pid } of readCalls(world.mac.osascriptDirectory)) process.kill(pid, 'SIGKILL');
    await world.start();
    expect(await world.acked(commandId)).toMatchObject({ result: { outcome: 'sent', confirmed: true } });
    expect(readCalls(world.mac.osascriptDirectory)).toHaveLength(1);
    expect(world.texts).toEqual([TEXT]);
  });
});

/** A world whose daemon was killed while osascript, which behaves like this, was at the only text. */
async function killedWhileSending(
  context: Parameters<typeof EdgeWorld.open>[0],
  behaviour: Parameters<EdgeWorld['behave']>[0],
) {
  const world = await EdgeWorld.open(context);
  world.behave(behaviour);
  const doomed = await world.start();
  const commandId = world.command(TEXT);
  await world.calls(1);
  expect(await doomed.kill('SIGKILL')).toEqual(KILLED);
  return { world, commandId };
}
