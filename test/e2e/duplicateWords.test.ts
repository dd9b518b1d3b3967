import { describe, expect, test } from 'vitest';
import { type PersonaAnswer, scripted } from '../../src/kit/backend/persona.js';
import { type Cleanup, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { sized } from '../support/size.js';

const ANSWERED = 'The backend answered a message';

/** A real daemon and a backend that answers so, and holds its replies. */
async function open(context: Cleanup, ...answers: PersonaAnswer[]) {
  const world = await EdgeWorld.open(context, { persona: scripted(answers) });
  world.backend.holdReply();
  const daemon = await world.start();
  return { world, daemon };
}

/** The person writes, and the backend has it; returns the message's guid. */
async function written(world: EdgeWorld, text = 'can you find it?'): Promise<string> {
  const before = world.backend.held.length;
  const { guid } = world.mac.chatDb.receive({ from: PERSON, text });
  await world.backend.until(({ held }) => held.length > before);
  return guid;
}

/** A reflex comes; resolves with the result of its ack. */
async function reflex(world: EdgeWorld, text: string, more: Record<string, unknown> = {}) {
  const commandId = world.command(text, { bubble_type: 'reflex', ...more });
  const ack = await world.acked(commandId);
  expect(ack.status).toBe('completed');
  return { commandId, result: ack.result ?? {} };
}

/** The agent is killed and restarted; what had no answer is posted again. */
async function killed(
  world: EdgeWorld,
  daemon: { kill(signal: 'SIGKILL'): Promise<unknown> },
  messages: number,
) {
  const before = world.backend.messages.length;
  await daemon.kill('SIGKILL');
  await world.start();
  await world.backend.until((journal) => journal.messages.length >= before + messages);
}

const sent = { outcome: 'sent', confirmed: true };

describe('texts that were never sent are sent, texts that were sent are not repeated', {
  concurrent: true,
}, () => {
  test('a reflex with the text of an earlier answer, while another message waits for its answer', async (context) => {
    const { world, daemon } = await open(context, { bubbles: ['ok'] }, { bubbles: ['ok', 'done'] });
    await written(world, 'first');
    await world.backend.releaseReply();
    await daemon.line(ANSWERED);
    await world.sent(1);
    await written(world, 'second');
    const { result } = await reflex(world, 'ok');
    expect(result).toMatchObject(sent);
    expect(result).not.toHaveProperty('deduplicated');
    await world.backend.releaseReply();
    await world.sent(3);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['ok', 'ok', 'done']);
  });

  test.for([{ named: true }, { named: false }])(
    'a second reflex with another text while its message is posted again (named: $named)',
    async ({ named }, context) => {
      const { world, daemon } = await open(context, { bubbles: ['one sec', 'found it'] });
      const guid = await written(world);
      const more = named ? { in_reply_to: guid } : {};
      const first = await reflex(world, 'one sec', more);
      await killed(world, daemon, 1);
      const second = await reflex(world, 'gimme a moment', more);
      expect(second.result).toMatchObject(sent);
      const again = await reflex(world, 'one sec', more);
      expect(again.result).toMatchObject({
        deduplicated: true,
        duplicate_of: { command_id: first.commandId, message_guid: first.result.message_guid },
      });
      await world.backend.release('replyFirst');
      await world.sent(3);
      expect(world.texts).toEqual(['one sec', 'gimme a moment', 'found it']);
    },
  );

  test('reflexes without a name, with two messages posted again after an outage', async (context) => {
    const { world, daemon } = await open(
      context,
      { bubbles: ['one sec', 'found it'] },
      { bubbles: ['looking', 'sold out'] },
    );
    await written(world, 'first');
    await reflex(world, 'one sec');
    await written(world, 'second');
    await killed(world, daemon, 2);
    // The second message had none: this one is its own, with the text that the first one got.
    expect((await reflex(world, 'one sec')).result).toMatchObject(sent);
    expect((await reflex(world, 'looking')).result).toMatchObject(sent);
    expect((await reflex(world, 'looking')).result).toMatchObject({ deduplicated: true });
    await world.backend.release('replyFirst');
    await world.sent(5);
    expect(world.texts.toSorted()).toEqual(['found it', 'looking', 'one sec', 'one sec', 'sold out']);
  });

  test('an answer that a second reflex corrects, both of them repeated after kill -9', async (context) => {
    const { world, daemon } = await open(context, { bubbles: ['it is 5', 'anything else?'] });
    await written(world);
    await reflex(world, 'it is 5');
    await reflex(world, 'sorry, 6');
    await killed(world, daemon, 1);
    for (const words of ['it is 5', 'sorry, 6'])
      expect((await reflex(world, words)).result).toMatchObject({ deduplicated: true });
    await world.backend.release('replyFirst');
    await world.sent(3);
    expect(world.texts).toEqual(['it is 5', 'sorry, 6', 'anything else?']);
  });

  test('two messages of the same text with the same answer get it twice', async (context) => {
    const answer = { bubbles: ['ok'] };
    const { world, daemon } = await open(context, answer, answer);
    await written(world, 'again?');
    await written(world, 'again?');
    for (const _ of [1, 2]) expect((await reflex(world, 'ok')).result).toMatchObject(sent);
    await world.backend.release('replyFirst');
    await daemon.line(ANSWERED);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['ok', 'ok']);
  });

  test('a reflex that names a message which was answered with another text is sent, one with the same text is not', async (context) => {
    const { world, daemon } = await open(context, { bubbles: ['yes'] });
    const guid = await written(world);
    await world.backend.release('replyFirst');
    await daemon.line(ANSWERED);
    await world.sent(1);
    expect((await reflex(world, 'no', { in_reply_to: guid })).result).toMatchObject(sent);
    const { result } = await reflex(world, 'yes', { in_reply_to: guid });
    expect(result).toMatchObject({ deduplicated: true, duplicate_of: { bubble: 1, in_reply_to: guid } });
    expect(world.texts).toEqual(['yes', 'no']);
  });

  test('a reflex that names an unknown message is sent, and takes no answer away from a known one', async (context) => {
    const { world, daemon } = await open(context, { bubbles: ['one sec', 'found it'] });
    await written(world);
    const { result } = await reflex(world, 'one sec', { in_reply_to: 'NOT-A-MESSAGE' });
    expect(result).toMatchObject(sent);
    await world.backend.release('replyFirst');
    await world.sent(3);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['one sec', 'one sec', 'found it']);
  });

  const WORDS = [
    { said: 'ok 👍', next: 'ok 👍🏽', same: false },
    { said: 'one sec', next: ' one\u00a0 sec\n', same: true },
    ...sized(
      [],
      [
        { said: 'ok', next: 'ok.', same: false },
        { said: 'ok', next: 'OK', same: false },
        { said: '❤', next: '❤️', same: false },
        { said: 'caf\u00e9', next: 'cafe\u0301', same: true },
      ],
    ),
  ];
  test.for(WORDS)('“$said” and “$next” are the same text: $same', async ({ said, next, same }, context) => {
    const { world } = await open(context, { bubbles: ['later'] });
    const guid = await written(world);
    await reflex(world, said, { in_reply_to: guid });
    const { result } = await reflex(world, next, { in_reply_to: guid });
    expect(result.deduplicated === true).toBe(same);
    expect(world.texts).toHaveLength(same ? 1 : 2);
  });

  test.for(sized<readonly (string | null)[]>([''], ['', '  ', null]))(
    'a blank in_reply_to (%j) names no message',
    async (name, context) => {
      const { world, daemon } = await open(context, { bubbles: ['one sec', 'found it'] });
      await written(world);
      expect((await reflex(world, 'one sec', { in_reply_to: name })).result).toMatchObject(sent);
      await world.backend.release('replyFirst');
      await world.sent(2);
      expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
      expect(world.texts).toEqual(['one sec', 'found it']);
    },
  );

  test('503 after the reflex: the post is repeated, and so are reflex and reply', async (context) => {
    const { world, daemon } = await open(context, { bubbles: ['one sec', 'found it'] });
    world.backend.failHttp(503, 1, { path: '/edge/message' });
    world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
    await daemon.line('A message could not be delivered to the backend; will retry');
    await reflex(world, 'one sec');
    await world.backend.until(({ held }) => held.length === 1);
    const { result } = await reflex(world, 'one sec');
    expect(result).toMatchObject({ deduplicated: true });
    await world.backend.release('replyFirst');
    await world.sent(2);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['one sec', 'found it']);
  });

  test('a kept connection that closes under a post: the backend reads it twice and sends its reflex twice', async (context) => {
    const persona = scripted([{ bubbles: ['hello'] }, { reflex: 'one sec', bubbles: ['found it'] }]);
    const world = await EdgeWorld.open(context, { persona });
    const daemon = await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await world.sent(1);
    world.backend.loseReplies({ path: '/edge/message' });
    world.backend.repeatReflexes();
    world.mac.chatDb.receive({ from: PERSON, text: 'can you find it?' });
    await world.backend.until(({ journal }) => journal.reflexes.length === 2);
    await world.sent(3);
    for (const { commandId } of world.backend.journal.reflexes) await world.acked(commandId ?? '');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['hello', 'one sec', 'found it']);
  });
});
