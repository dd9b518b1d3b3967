import { expect, test } from 'vitest';
import { Acks, Commands } from '../../src/commands/Commands.js';
import { requestVerdict, sendMessage } from '../../src/commands/handlers/sendMessage.js';
import { watchTexts } from '../../src/operator/watchTexts.js';
import { Scheduler } from '../../src/outgoing/Scheduler.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { MonitorWorld } from '../support/MonitorWorld.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';

const PERSON = '+13105551234';

test('the steps of a command are reported in order, also where its text ends as it is stored', async (cleanup) => {
  const world = await MonitorWorld.open(cleanup);
  const { store, clock, server } = world;
  const messages = new FakeMessages();
  const outgoing = outgoingOn(store, messages, clock);
  const [acks, log] = [new Acks(store, clock), new RecordingLog()];
  const commands = new Commands(store, acks, log, [
    sendMessage({
      texts: outgoing,
      schedule: new Scheduler({
        ...{ store, texts: outgoing, acks, clock, log },
        settings: () => ({ maxLatenessMs: 1e6, acks: 'both' }),
      }),
      conversationKey: (threadId: string) => threadId,
      limits: () => ({ maxAgeMs: 1e6, reflexMaxAgeMs: 1e6, bubbleDelayMs: 0, maxTextLength: 100 }),
      clock,
      files: {
        admit: () => ({
          kind: 'refused',
          field: 'url',
          errorCode: 'attachment_refused',
          message: 'no files here',
        }),
        discard: () => undefined,
      },
    }),
  ]);
  outgoing.onEnded((request) => commands.requestEnded(request, requestVerdict(request.parts)));
  watchTexts({
    ...{ components: { commands, outgoing }, store, clock, server, agentName: () => 'edge_1' },
    ...{ notify: () => undefined, onWork: () => undefined, guarded: (work) => work() },
  });
  await outgoing.start();
  const operator = await world.operator();
  operator.say({ type: 'subscribe', data: { topics: ['commands'] } });
  await operator.caughtUp();
  const receive = (commandId: string, more = {}) => {
    const payload = { thread_id: PERSON, text: 'one sec', ...more };
    const command = { commandId, commandType: 'send_message_now', payload, priority: 'normal' } as const;
    commands.receive([{ ...command, timestamp: null, fault: null }], 'http');
  };
  const steps = (commandId: string) =>
    operator
      .all('event')
      .filter(({ data }) => data?.commandId === commandId)
      .map(({ data }) => data?.stage);
  const reply = { conversation: PERSON, threadId: PERSON, text: 'one sec', answers: 'guid-1', pauseMs: 0 };
  store.write(() => outgoing.enqueue({ id: 'reply', role: 'first', priority: 2, ...reply }));
  await messages.succeed();
  receive('first');
  await messages.succeed();
  receive('again', { in_reply_to: 'guid-1', bubble_type: 'reflex' });
  await operator.heard('event', ({ data }) => data?.commandId === 'again' && data.stage === 'completed');
  expect(steps('first')).toEqual(['received', 'sent', 'completed']);
  expect(steps('again')).toEqual(['received', 'deduplicated', 'completed']);

  const given = store.acks.after(0, 10).map(({ seq }) => seq);
  store.write(() => store.acks.clear(given));
  await operator.heard('event', ({ data }) => data?.commandId === 'again' && data.stage === 'ack_read');
  expect(steps('first')).toEqual(['received', 'sent', 'completed', 'ack_read']);
  outgoing.stop();
});
