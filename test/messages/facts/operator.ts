import { expect } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { type Fact, fact, NOTHING } from './Fact.js';

/** What a person writes from another device. */
export const OPERATOR: Fact[] = [
  fact(
    'what an operator sends from another device is reported, in conversations that the agent serves',
    (world) => {
      const from = world.acquaintance();
      const sent = world.writer.writeSent({ handle: from, text: 'I take over', date: world.clock.now() });
      const { events } = world.news();
      expect(events).toMatchObject([
        {
          eventType: 'operator_replied',
          threadId: from,
          details: { message_guid: sent.guid, text: 'I take over', is_group: false, service: 'iMessage' },
        },
      ]);
      world.restart();
      expect(world.news().types).toEqual([]);
    },
  ),
  fact('and not in others', (world) => {
    world.writer.writeSent({ handle: world.person(), text: 'private', date: world.clock.now() });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
  }),
  fact(
    'a text of the agent is no operator’s: proven, being sent, or so late that its outcome is unknown',
    (world) => {
      const from = world.acquaintance();
      const { store } = world;
      const write = (text: string) => world.writer.writeSent({ handle: from, text, date: world.clock.now() });
      const proven = world.send(from, 'proven');
      const { guid } = write('proven');
      store.write(() => store.sends.settle(proven, { state: 'sent', guid }));
      const onItsWay = world.send(from, 'it’s on its way');
      write("it's on its way");
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 2 } });
      store.write(() => store.sends.settle(onItsWay, { state: 'failed', errorCode: 'send_refused' }));
      const lost = world.send(from, 'an hour late');
      store.write(() => store.sends.settle(lost, { state: 'unknown' }));
      world.clock.advance(3600_000);
      write('an hour late');
      expect(world.news().types).toEqual([]);
      write('what was refused, sent by hand');
      expect(world.news().types).toEqual(['operator_replied']);
    },
  ),
  fact('while a file of the agent is looked for, a text of an operator is reported at once', (world) => {
    const from = world.acquaintance();
    const { store, clock } = world;
    const seq = world.send(from, '', { file: '/tmp/x.png' });
    store.write(() => store.sends.ended(seq, clock.now() + 1_200_000, null));
    world.writer.writeSent({ handle: from, text: 'a person', date: clock.now() });
    expect(world.news().types).toEqual(['operator_replied']);
    store.write(() => store.sends.settle(seq, { state: 'failed', errorCode: 'send_refused' }));
  }),
  fact(
    'while a text of the agent is looked for, another text of an operator is reported at once, and so is a file',
    (world) => {
      const from = world.acquaintance();
      const { store, clock } = world;
      const seq = world.send(from, 'ours');
      store.write(() => store.sends.ended(seq, clock.now() + 180_000, null));
      world.writer.writeSent({ handle: from, text: 'a person', date: clock.now() });
      world.writer.writeSent({ handle: from, text: '\ufffc', date: clock.now() });
      expect(world.news().types).toEqual(['operator_replied', 'operator_replied']);
    },
  ),
  fact('what may be a part of it is not reported until that is over; then it is an operator’s', (world) => {
    const from = world.acquaintance();
    const { store, clock } = world;
    const seq = world.send(from, 'ours, look');
    store.write(() => store.sends.ended(seq, clock.now() + 180_000, null));
    world.writer.writeSent({ handle: from, text: 'look', date: clock.now() });
    world.receive({ from, text: 'a person is not held up by it' });
    expect(world.news()).toMatchObject({ texts: ['a person is not held up by it'], types: [] });
    const { guid } = world.writer.writeSent({ handle: from, text: 'ours, look', date: clock.now() });
    store.write(() => store.sends.settle(seq, { state: 'sent', guid }));
    expect(world.after(1000).types).toEqual(['operator_replied']);
  }),
  fact('a file that is sent while the agent sends one is the agent’s', (world) => {
    const from = world.acquaintance();
    world.send(from, '', { file: '/tmp/x.png' });
    world.writer.writeSent({ handle: from, text: '\ufffc', date: world.clock.now() });
    expect(world.news().types).toEqual([]);
  }),
  fact('an answer whose text is written minutes after its row is reported then', (world) => {
    const chat = world.writer.directChat(world.acquaintance());
    const date = appleDate(world.clock.now());
    const { rowId } = world.writer.insertMessage({ is_from_me: 1, date }, chat);
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: {} });
    expect(world.after(60_000)).toMatchObject(NOTHING);
    world.writer.updateMessage(rowId, { text: 'mine' });
    expect(world.news().types).toEqual(['operator_replied']);
  }),
  fact('a ghost, empty and without a chat, is no answer', (world) => {
    const from = world.acquaintance();
    world.writer.writeSent({ handle: from, text: '', ghost: true, date: world.clock.now() });
    world.news();
    expect(world.after(600_000)).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
  }),
  fact('outgoing.pause_on_operator_reply pauses the conversation, in the same write', (world) => {
    world.settings.pause_on_operator_reply = true;
    const from = world.acquaintance();
    world.writer.writeSent({ handle: from, text: 'mine', date: world.clock.now() });
    expect(world.news().types).toEqual(['operator_replied', 'conversation_paused']);
    expect(world.store.pauses.get(from)).toMatchObject({ reason: 'operator' });
    world.store.write(() => world.store.pauses.delete(from));
  }),
];
