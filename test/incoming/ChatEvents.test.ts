import { expect, test } from 'vitest';
import { ChatEvents, givenUpEvent, type OperatorReply } from '../../src/incoming/ChatEvents.js';
import type { EventType } from '../../src/model/events.js';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';

function told(pause = false) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const disclose = (text: string) => text.replace(/\d/g, '#');
  const replies: OperatorReply[] = [];
  const happenings = new ChatEvents({
    ...{ store, disclose, pauseOnOperatorReply: () => pause },
    onOperatorReply: (reply) => replies.push(reply),
  });
  const tell = (key: string, eventType: EventType, details: Record<string, unknown>) =>
    store.write(() => happenings.report({ key, eventType, threadId: ANN, details }));
  return { clock, store, replies, tell, events: () => store.events.after(0, 100) };
}

test('each event is reported once, however often its row is read', () => {
  const { store, tell, events } = told();
  tell('row:1', 'reaction_added', { emoji: '🔥' });
  store.events.clear(events().map(({ seq }) => seq));
  tell('row:1', 'reaction_added', { emoji: '🔥' });
  expect(events()).toEqual([]);
});

test('text from a person passes the privacy filter; names, dates and guids do not', () => {
  const { tell, events } = told();
  tell('a', 'message_edited', { text: 'call 555', message_guid: 'G1' });
  tell('b', 'group_renamed', { title: 'trip 2026', sent_at: '2026-01-01' });
  tell('c', 'message_attachments', {
    attachments: [{ guid: 'at_0', filename: '555.pdf', size_bytes: 9 }],
  });
  expect(events().map(({ details }) => details)).toEqual([
    { text: 'call ###', message_guid: 'G1' },
    { title: 'trip ####', sent_at: '2026-01-01' },
    { attachments: [{ guid: 'at_0', filename: '###.pdf', size_bytes: 9 }] },
  ]);
});

test('an operator’s answer pauses only where configured, and once', () => {
  const without = told();
  without.tell('a', 'operator_replied', { text: 'hi' });
  expect(without.store.pauses.list()).toEqual([]);
  const { store, tell, events } = told(true);
  tell('a', 'operator_replied', { text: 'hi' });
  tell('b', 'operator_replied', { text: 'again' });
  expect(store.pauses.get(ANN)?.reason).toBe('operator');
  expect(events().map(({ eventType }) => eventType)).toEqual([
    'operator_replied',
    'conversation_paused',
    'operator_replied',
  ]);
});

test('an operator’s answer is passed to local listeners once, unfiltered: it does not leave the machine', () => {
  const { tell, replies } = told();
  const details = { message_guid: 'G1', text: 'call 555', sent_at: '2026-01-01T00:00:00.000Z' };
  for (let read = 0; read < 2; read++) tell('row:G1', 'operator_replied', details);
  tell('row:G2', 'reaction_added', {});
  expect(replies).toEqual([
    { guid: 'G1', conversation: ANN, text: 'call 555', sentAt: '2026-01-01T00:00:00.000Z' },
  ]);
});

test('reported events are forgotten after 7 days', () => {
  const { clock, store, tell } = told();
  tell('row:1', 'reaction_added', {});
  clock.advance(7 * 86_400_000 + 1);
  const now = clock.now();
  store.write(() => store.prune({ ended: now - 7 * 86_400_000, commands: 0, limit: 10 }));
  expect(store.emittedEvents.has('row:1')).toBe(false);
});

test('of a message that expired, the text is not reported', () => {
  const message = {
    ...{ guid: 'G1', rowId: 1, conversation: ANN, threadId: ANN, chatGuid: `any;-;${ANN}`, sender: ANN },
    ...{ text: 'a secret', sentAt: 0, isGroup: false, participants: [], service: 'iMessage' },
    ...{ replyToGuid: null, attachments: [] },
  };
  const event = givenUpEvent(message, 'expired');
  expect(event).toMatchObject({
    threadId: ANN,
    details: { message_guid: 'G1', reason: 'expired', sender: ANN },
  });
  expect(JSON.stringify(event)).not.toContain('secret');
});
