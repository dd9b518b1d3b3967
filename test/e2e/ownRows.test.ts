import { describe, expect, test } from 'vitest';
import { type PersonaAnswer, scripted, silent } from '../../src/kit/backend/persona.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const OMW: PersonaAnswer = { bubbles: ['omw'] };

describe('the row of a text that is sent, as Messages writes it', { concurrent: true }, () => {
  test.each([
    ['without a handle', 'anonymous'],
    ['with the handle of its recipient', 'recipient'],
  ] as const)(
    'first as an incoming one, %s, and after a while as the agent’s own: it is never posted, never answered',
    async (_, form) => {
      const cleanups: (() => void | Promise<void>)[] = [];
      try {
        const world = await EdgeWorld.open(
          { onTestFinished: (clean) => void cleanups.push(clean) },
          { persona: scripted(Array(20).fill(OMW)) },
        );
        world.behave({ kind: 'ok', first: { form, settlesAfterMs: 1_500 } }, { times: 'always' });
        await world.start();
        for (const text of ['where are you?', 'and now?']) {
          world.mac.chatDb.receive({ from: PERSON, text });
          await world.backend.until(() =>
            world.backend.messages.some(({ body }) => body.filtered_text === text),
          );
        }
        await world.inChatDb(2);
        await world.backend.until(
          () =>
            world.backend.journal.events.filter(({ body }) => body.event_type === 'message_sent').length ===
            2,
        );
        // A person who writes the same text is answered: an own row mistaken for a message would come before this.
        world.mac.chatDb.receive({ from: PERSON, text: 'omw' });
        await world.backend.until(() => world.backend.messages.length >= 3);
        expect(world.backend.messages.map(({ body }) => body.filtered_text)).toEqual([
          'where are you?',
          'and now?',
          'omw',
        ]);
        await world.sent(3);
        expect(world.texts).toEqual(['omw', 'omw', 'omw']);
        const types = world.backend.journal.events.map(({ body }) => body.event_type);
        expect(types).not.toContain('operator_replied');
        expect(types).not.toContain('message_failed');
      } finally {
        for (const clean of cleanups.reverse()) await clean();
      }
    },
  );

  test('taken for a message of a person and recognised as the agent’s own only later: the backend is notified, and its answer is not sent', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const { chatDb } = world.mac;
    const daemon = await world.start();
    const row = chatDb.writeSent({ handle: PERSON, text: 'from my phone', upTo: 'first' });
    await world.backend.until(() => world.backend.messages.length === 1);
    await world.cli('pause', PERSON);
    const answer = world.command('for whom?', { in_reply_to: row.guid });
    await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 1);
    row.settle().markSent();
    const told = () =>
      world.backend.journal.events
        .map(({ body }) => body)
        .filter(({ event_type }) => event_type === 'message_withdrawn');
    await world.backend.until(() => told().length > 0);
    expect(told()).toMatchObject([
      { thread_id: PERSON, details: { message_guid: row.guid, cause: 'sent_from_here', sender: PERSON } },
    ]);
    expect(await world.acked(answer)).toMatchObject({ status: 'failed' });
    expect((await world.acked(answer)).error).toContain('answer_withdrawn');
    const late = world.command('still for whom?', { in_reply_to: row.guid });
    expect((await world.acked(late)).error).toContain('answer_withdrawn');
    await until(
      () => world.backend.journal.events.some(({ body }) => body.event_type === 'operator_replied'),
      () => 'that the operator replied',
    );
    await world.cli('resume', 'all');
    expect(world.texts).toEqual([]);
    expect(world.backend.messages).toHaveLength(1);
  });
});
