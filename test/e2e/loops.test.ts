import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Persona } from '../../src/kit/backend/persona.js';
import { type Cleanup, EdgeWorld, PERSON } from '../support/EdgeWorld.js';

/** Answers every message with a different text. */
const chatty: Persona = ({ filtered_text: text }, { answered }) => ({
  bubbles: [`You said ${text.slice(0, 20)}`, `That was message ${answered}`],
});

/** Calls `hear` for each text that is sent, until the test is over. */
function eachText(
  context: Cleanup,
  world: EdgeWorld,
  hear: (text: string, index: number) => Promise<void> | void,
) {
  const ended = new AbortController();
  const listening = (async () => {
    for (let heard = 0; !ended.signal.aborted; await pause(20)) {
      for (; heard < world.texts.length && !ended.signal.aborted; heard++) {
        await hear(world.texts[heard] ?? '', heard);
      }
    }
  })();
  context.onTestFinished(async () => {
    ended.abort();
    await listening;
  });
}

const pauses = (world: EdgeWorld) =>
  world.backend.journal.events.filter(({ body }) => body.event_type === 'conversation_paused');

const paused = (world: EdgeWorld) => world.backend.until(() => pauses(world).length > 0);

describe('an automatic exchange ends', { concurrent: true }, () => {
  test('with a bot that answers every bubble with another text; the operator can resume it', async (context) => {
    const world = await EdgeWorld.open(context, { persona: chatty });
    const daemon = await world.start();
    eachText(context, world, (text, index) => {
      world.mac.chatDb.receive({ from: PERSON, text: `Thank you for ${text}, number ${index}` });
    });
    world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await paused(world);
    expect(pauses(world)).toMatchObject([
      { body: { thread_id: PERSON, details: { reason: 'loop', exchanges: expect.any(Number) } } },
    ]);
    const { snapshot } = await daemon.statusUntil(({ snapshot: seen }) => (seen?.sends_queued ?? 0) > 0);
    expect(snapshot).toMatchObject({
      problems: [{ code: 'sending_paused' }],
      paused: [{ conversation: PERSON, reason: 'loop' }],
    });
    const sent = world.texts.length;
    expect(sent).toBeLessThanOrEqual(40);
    const id = world.command('from the backend');
    await pause(1_000);
    expect(world.texts.length).toBeLessThanOrEqual(sent + 1);
    expect(world.backend.journal.acks.filter(({ body }) => body.command_id === id)).toEqual([]);
    expect(await world.cli('resume', PERSON)).toMatchObject({ exitCode: 0 });
    await world.sent(sent + 2);
    await world.backend.until(() => pauses(world).length > 1);
  });

  test('with another agent at the other end, though neither has a rule for the other', async (context) => {
    const [one, two] = await Promise.all([
      EdgeWorld.open(context, { persona: chatty }),
      EdgeWorld.open(context, { persona: chatty }),
    ]);
    await Promise.all([one.start(), two.start()]);
    eachText(context, one, (text) => void two.mac.chatDb.receive({ from: PERSON, text }));
    eachText(context, two, (text) => void one.mac.chatDb.receive({ from: PERSON, text }));
    one.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await Promise.race([paused(one), paused(two)]);
    await pause(2_000);
    expect(one.texts.length + two.texts.length).toBeLessThanOrEqual(120);
  });

  test('though the agent is killed again and again meanwhile', async (context) => {
    const world = await EdgeWorld.open(context, { persona: chatty });
    let daemon = await world.start();
    eachText(context, world, (text, index) => {
      world.mac.chatDb.receive({ from: PERSON, text: `Thank you for ${text}, number ${index}` });
    });
    world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    for (let life = 1; life <= 3; life++) {
      await world.sent(life * 4);
      await daemon.kill('SIGKILL');
      daemon = await world.start();
    }
    await paused(world);
    expect(world.texts.length).toBeLessThanOrEqual(60);
  });

  test('but a person who answers a quiz quickly is not paused', async (context) => {
    const quiz: Persona = (_message, { answered }) => ({
      bubbles: ['Correct!', `Question ${answered}: A or B?`],
    });
    const world = await EdgeWorld.open(context, { persona: quiz });
    await world.start();
    for (let round = 1; round <= 14; round++) {
      world.mac.chatDb.receive({ from: PERSON, text: 'A' });
      await world.sent(2 * round);
      await pause(1_150 + (round % 4) * 200);
    }
    expect(pauses(world)).toEqual([]);
    expect(world.texts).toHaveLength(28);
  });
});
