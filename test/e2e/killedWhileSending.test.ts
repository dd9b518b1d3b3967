import { describe, expect, test } from 'vitest';
import { scripted } from '../../src/kit/backend/persona.js';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

const TEXT = 'exactly once, please';
const QUICK = { settings: { 'imessage.send_timeout_seconds': 2 } };

/** Kills the daemon while osascript is at `TEXT`, and starts it again. */
async function killAtTheSend(world: EdgeWorld) {
  const killed = await world.start();
  const commandId = world.command(TEXT);
  await world.calls(1);
  return { killed, commandId };
}

describe('kill -9 in the middle of a send never sends a text twice', {
  concurrent: true,
}, () => {
  test('when osascript hung before it sent: the outcome is reported as unknown', async (context) => {
    const world = await EdgeWorld.open(context, QUICK);
    world.behave({ kind: 'hang', when: 'before' });
    const { killed, commandId } = await killAtTheSend(world);
    await killed.kill('SIGKILL');
    const daemon = await world.start();
    const ack = await world.acked(commandId);
    expect(ack).toMatchObject({ status: 'failed', result: { outcome: 'unknown', retry_safe: false } });
    expect(ack.error).toMatch(/^outcome_unknown/);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual([]);
  });

  test('when osascript sent and hung: its row in chat.db proves it', async (context) => {
    const world = await EdgeWorld.open(context, QUICK);
    world.behave({ kind: 'hang', when: 'after' });
    const { killed, commandId } = await killAtTheSend(world);
    await world.sent(1);
    await killed.kill('SIGKILL');
    const daemon = await world.start();
    const ack = await world.acked(commandId);
    expect(ack).toMatchObject({ status: 'completed', result: { outcome: 'sent', confirmed: true } });
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual([TEXT]);
  });

  test('when osascript sent and hung, and no row appears: the outcome is reported as unknown', async (context) => {
    const world = await EdgeWorld.open(context, QUICK);
    world.behave({ kind: 'hang', when: 'after', row: { kind: 'none' } });
    const { killed, commandId } = await killAtTheSend(world);
    await world.sent(1);
    await killed.kill('SIGKILL');
    const daemon = await world.start();
    const ack = await world.acked(commandId);
    expect(ack).toMatchObject({ status: 'failed', result: { outcome: 'unknown', retry_safe: false } });
    expect(ack.error).toMatch(/^outcome_unknown/);
    const next = world.command('life goes on');
    await world.acked(next);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual([TEXT, 'life goes on']);
  });

  test('when osascript provably died before it sent: it is sent after the restart', async (context) => {
    const world = await EdgeWorld.open(context, QUICK);
    world.behave({ kind: 'hang', when: 'before' });
    const { killed, commandId } = await killAtTheSend(world);
    await killed.kill('SIGKILL');
    for (const { pid } of readCalls(world.mac.osascriptDirectory)) process.kill(pid, 'SIGKILL');
    const daemon = await world.start();
    const ack = await world.acked(commandId);
    expect(ack).toMatchObject({ status: 'completed', result: { outcome: 'sent', confirmed: true } });
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual([TEXT]);
  });

  test('when osascript ends on its own while no agent watches it', async (context) => {
    const world = await EdgeWorld.open(context);
    world.behave({ kind: 'ok', slowMs: 300 });
    const { killed, commandId } = await killAtTheSend(world);
    await killed.kill('SIGKILL');
    const daemon = await world.start();
    expect(await world.acked(commandId)).toMatchObject({ status: 'completed', result: { confirmed: true } });
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual([TEXT]);
  });

  test('when it happens again and again in a burst of commands and a reply', async (context) => {
    const persona = scripted([{ reflex: 'one sec', bubbles: ['first', 'second'] }]);
    const world = await EdgeWorld.open(context, { persona });
    let daemon = await world.start();
    const numbered = Array.from({ length: 8 }, (_, index) => `number ${index}`);
    const commands = numbered.map((text) => world.command(text));
    world.mac.chatDb.receive({ from: PERSON, text: 'and me?' });
    for (const soFar of [2, 5, 8]) {
      await world.sent(soFar);
      await daemon.kill('SIGKILL');
      daemon = await world.start();
    }
    for (const commandId of commands) {
      expect(await world.acked(commandId)).toMatchObject({
        status: 'completed',
        result: { outcome: 'sent' },
      });
    }
    await world.sent(11);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts.toSorted()).toEqual([...numbered, 'one sec', 'first', 'second'].toSorted());
    expect(world.texts.filter((text) => text.startsWith('number'))).toEqual(numbered);
  });
});
