import { expect } from 'vitest';
import { encodeAttributedBody } from '../../../src/kit/messages/typedstreamEncoder.js';
import { type Fact, fact, NOTHING } from './Fact.js';
import type { FactWorld } from './FactWorld.js';

/** A sent text is in chat.db first like an incoming one, without a handle, unfinished (openclaw/imsg #80). */
export const FIRST_STATES: Fact[] = [
  ...['omw', 'k', '👍', 'a long text of ours, with — “quotes” and all'].map((text) =>
    fact(
      `the agent’s own “${text}” is not a message, however long its row looks like an incoming one`,
      (world) => {
        const from = world.acquaintance();
        const seq = world.send(from, text);
        world.store.write(() => world.store.sends.ended(seq, world.clock.now() + 180_000, null));
        const row = world.writer.writeSent({ handle: from, text, date: world.clock.now(), upTo: 'first' });
        expect(world.news()).toMatchObject({ ...NOTHING, skipped: {} });
        expect(world.after(30_000)).toMatchObject({ ...NOTHING, skipped: {} });
        row.settle().markSent();
        expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
        settle(world, seq, row.guid);
      },
    ),
  ),
  fact('and the same holds with the handle of its recipient', (world) => {
    const from = world.acquaintance();
    const seq = world.send(from, 'on my way');
    const { clock, writer } = world;
    const row = writer.writeSent({
      ...{ handle: from, text: 'on my way', date: clock.now(), upTo: 'first', firstState: 'recipient' },
    } as const);
    expect(world.after(900)).toMatchObject({ ...NOTHING, skipped: {} });
    expect(world.after(60_000)).toMatchObject({ ...NOTHING, skipped: {} });
    row.settle().markSent();
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
    settle(world, seq, row.guid);
  }),
  ...(['anonymous', 'recipient'] as const).map((firstState) =>
    fact(`what the operator writes is reported as theirs when its row (${firstState}) shows it`, (world) => {
      const from = world.acquaintance();
      const row = world.writer.writeSent({
        ...{ handle: from, text: 'mine', date: world.clock.now(), upTo: 'first', firstState },
      } as const);
      expect(world.news()).toMatchObject(NOTHING);
      expect(world.after(990)).toMatchObject(NOTHING);
      row.settle();
      expect(world.news()).toMatchObject({ texts: [], types: ['operator_replied'] });
      world.restart();
      expect(world.after(60_000)).toMatchObject(NOTHING);
    }),
  ),
  fact('over a restart too', (world) => {
    const from = world.acquaintance();
    const row = world.writer.writeSent({
      handle: from,
      text: 'mine',
      date: world.clock.now(),
      upTo: 'first',
    });
    expect(world.news()).toMatchObject(NOTHING);
    world.restart();
    expect(world.after(900)).toMatchObject(NOTHING);
    row.settle();
    expect(world.news()).toMatchObject({ texts: [], types: ['operator_replied'] });
  }),
  fact('a text or chat that arrives late does not use up the wait', (world) => {
    const from = world.acquaintance();
    const chat = world.writer.directChat(from);
    const late = world.writer.insertMessage({ is_from_me: 0, is_finished: 0 });
    world.writer.joinChat(late.rowId, chat);
    expect(world.after(5_000)).toMatchObject(NOTHING);
    world.writer.updateMessage(late.rowId, { attributedBody: encodeAttributedBody('late words') });
    expect(world.news()).toMatchObject(NOTHING);
    expect(world.after(900)).toMatchObject(NOTHING);
    const chatless = world.writer.insertMessage({ is_from_me: 0, is_finished: 0, text: 'late chat' });
    expect(world.news()).toMatchObject(NOTHING);
    world.writer.updateMessage(late.rowId, { is_from_me: 1, is_finished: 1 });
    expect(world.after(30_000).types).toEqual(['operator_replied']);
    world.writer.joinChat(chatless.rowId, chat);
    expect(world.after(900)).toMatchObject(NOTHING);
    world.writer.updateMessage(chatless.rowId, { is_from_me: 1, is_finished: 1 });
    expect(world.news().types).toEqual(['operator_replied']);
  }),
  fact('in a group too, without a handle: however late it is settled', (world) => {
    const chat = world.writer.groupChat([world.acquaintance(), world.person()]);
    world.receive({ from: world.acquaintance(), text: 'hello all', chat });
    world.news();
    const row = world.writer.writeSent({ chat, text: 'mine', date: world.clock.now(), upTo: 'first' });
    expect(world.after(60_000)).toMatchObject({ ...NOTHING, skipped: {} });
    row.settle();
    expect(world.news()).toMatchObject({ texts: [], types: ['operator_replied'] });
  }),
  fact('a tapback of the agent’s account is not the other side’s', (world) => {
    const from = world.acquaintance();
    const chat = world.writer.directChat(from);
    const target = world.receive({ from, text: 'nice?' });
    world.news();
    const columns = { associated_message_type: 2001, associated_message_guid: `p:0/${target.guid}` };
    const row = world.writer.insertMessage({ is_from_me: 0, is_finished: 0, ...columns }, chat);
    expect(world.news()).toMatchObject(NOTHING);
    world.writer.updateMessage(row.rowId, { is_from_me: 1, is_finished: 1 });
    expect(world.after(2_000)).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
  }),
  fact('a file of the agent is waited for as well, and is no message without a text', (world) => {
    const from = world.acquaintance();
    const seq = world.send(from, '', { file: '/tmp/x.png' });
    const columns = { is_from_me: 0, is_finished: 0, cache_has_attachments: 1, text: '\ufffc' };
    const row = world.writer.insertMessage(columns, world.writer.directChat(from));
    expect(world.after(30_000)).toMatchObject({ ...NOTHING, skipped: {} });
    world.writer.updateMessage(row.rowId, { is_from_me: 1, is_finished: 1 });
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
    settle(world, seq, row.guid);
  }),
  fact('a person’s photo whose row stays unfinished is no file that the agent is sending', (world) => {
    const from = world.acquaintance();
    const seq = world.send(from, '', { file: '/tmp/y.png' });
    world.store.write(() => world.store.sends.ended(seq, world.clock.now() + 1_200_000, null));
    const date = world.clock.now();
    const columns = { is_finished: 0 };
    const photo = { name: 'theirs.jpg', mimeType: 'image/jpeg' };
    world.receive({ from, text: '', date, columns, attachments: [photo] });
    expect(world.news()).toMatchObject(NOTHING);
    const { messages } = world.after(201_000);
    expect(messages).toMatchObject([{ sender: from, attachments: [{ filename: 'theirs.jpg' }] }]);
    settle(world, seq, 'its row');
  }),
  fact('a person whose row has no handle is read after a second, and in the order of their chat', (world) => {
    const from = world.acquaintance();
    const chat = world.writer.directChat(from);
    world.writer.insertMessage({ is_from_me: 0, is_finished: 1, text: 'first' }, chat);
    world.receive({ from, text: 'second' });
    world.receive({ from: world.person(), text: 'somebody else' });
    expect(world.news().texts).toEqual(['somebody else']);
    expect(world.after(1_000).texts).toEqual(['first', 'second']);
  }),
  fact('also while the agent is sending the same text elsewhere: once that is proven', (world) => {
    const [ann, bob] = [world.acquaintance(), world.acquaintance()];
    const seq = world.send(ann, 'k');
    world.writer.insertMessage({ is_from_me: 0, is_finished: 1, text: 'k' }, world.writer.directChat(bob));
    expect(world.after(5_000)).toMatchObject(NOTHING);
    const row = world.writer.writeSent({ handle: ann, text: 'k', date: world.clock.now() });
    settle(world, seq, row.guid);
    expect(world.after(1_000).texts).toEqual(['k']);
  }),
  fact(
    'a person with a handle writes the text that the agent is just sending, and is read at once',
    (world) => {
      const from = world.acquaintance();
      const seq = world.send(from, 'ok');
      world.receive({ from, text: 'ok' });
      expect(world.news().texts).toEqual(['ok']);
      const row = world.writer.writeSent({ handle: from, text: 'ok', date: world.clock.now() });
      settle(world, seq, row.guid);
      expect(world.news().texts).toEqual([]);
    },
  ),
  ...(['anonymous', 'recipient'] as const).flatMap((firstState) => [
    fact(`a row that stays (${firstState}) and equals a text that was lost is that text`, (world) => {
      const from = world.acquaintance();
      const seq = world.send(from, 'lost?');
      writeFirst(world, { handle: from, text: 'lost?', firstState });
      expect(world.news()).toMatchObject(NOTHING);
      world.store.write(() => world.store.sends.settle(seq, { state: 'unknown' }));
      expect(world.after(200_000)).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
    }),
    fact(`and so is one that stays (${firstState}) beside the row that proves that text`, (world) => {
      const from = world.acquaintance();
      const seq = world.send(from, 'omw');
      writeFirst(world, { handle: from, text: 'omw', firstState });
      world.clock.advance(3_000);
      const { guid } = world.writer.writeSent({ handle: from, text: 'omw', date: world.clock.now() });
      settle(world, seq, guid);
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
      expect(world.after(201_000)).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
      world.restart();
      expect(world.after(20_000)).toMatchObject(NOTHING);
    }),
    fact(
      `a copy of a row of the agent is not a message in its first state (${firstState}) either`,
      (world) => {
        const from = world.acquaintance();
        const seq = world.send(from, 'k');
        const date = world.clock.now();
        settle(world, seq, world.writer.writeSent({ handle: from, text: 'k', date }).guid);
        world.news();
        world.clock.advance(3_600_000);
        const copy = writeFirst(world, { handle: from, text: 'k', firstState, date });
        expect(world.news()).toMatchObject(NOTHING);
        expect(world.after(30_000)).toMatchObject(NOTHING);
        copy.settle().markSent();
        expect(world.after(2_000)).toMatchObject({ ...NOTHING, skipped: { copy: 1 } });
      },
    ),
    fact(
      `nor (${firstState}) a text of the agent that chat.db has below its place, as it was rebuilt`,
      (world) => {
        const from = world.acquaintance();
        const seq = world.send(from, 'brb');
        const before = { tag: 'brb', generation: 'before', afterRow: 1_000_000 };
        world.store.write(() => world.store.sends.begin(seq, before));
        world.clock.advance(100);
        const row = writeFirst(world, { handle: from, text: 'brb', firstState });
        expect(world.news()).toMatchObject(NOTHING);
        expect(world.after(30_000)).toMatchObject(NOTHING);
        row.settle().markSent();
        settle(world, seq, row.guid);
        expect(world.after(2_000)).toMatchObject({ ...NOTHING, skipped: { own: 1 } });
      },
    ),
  ]),
  ...(['anonymous', 'recipient'] as const).map((firstState) =>
    fact(
      `a row (${firstState}) that was taken for a person’s and turns out to be the agent’s is withdrawn`,
      (world) => {
        const from = world.acquaintance();
        const { store, clock } = world;
        const write = (text: string) =>
          world.writer.writeSent({
            ...{ handle: from, text, date: clock.now(), upTo: 'first', firstState },
          } as const);
        const row = write('an operator’s, slowly settled');
        world.news();
        expect(world.after(1_000)).toMatchObject({ texts: ['an operator’s, slowly settled'], types: [] });
        const [record] = store.incoming.open(from, 10).filter(({ message }) => message.guid === row.guid);
        store.write(() => store.incoming.postStarted(record?.seq ?? 0, 0));
        clock.advance(120_000);
        row.settle().markSent();
        world.after(1_000);
        world.after(1_000);
        const guids = { message_guid: row.guid };
        expect(world.toldOf(row.guid)).toMatchObject([
          { eventType: 'message_withdrawn', details: { ...guids, cause: 'sent_from_here', sender: from } },
          { eventType: 'operator_replied', details: guids },
        ]);
        expect(store.incoming.open(from, 10).map(({ message }) => message.guid)).not.toContain(row.guid);
        expect(store.incoming.isReversed(row.guid)).toBe(true);
        world.restart();
        expect(world.after(60_000)).toMatchObject(NOTHING);
      },
    ),
  ),
  fact('one that was never posted is withdrawn silently, and reported only as the operator’s', (world) => {
    const from = world.acquaintance();
    const row = world.writer.writeSent({
      handle: from,
      text: 'late',
      date: world.clock.now(),
      upTo: 'first',
    });
    world.news();
    expect(world.after(1_000).texts).toEqual(['late']);
    row.settle();
    world.clock.advance(2_000);
    world.news();
    world.after(1_000);
    expect(world.toldOf(row.guid).map(({ eventType }) => eventType)).toEqual(['operator_replied']);
  }),
  fact('a text of the agent whose row was taken for a person’s can still be proven by it', (world) => {
    const from = world.acquaintance();
    const row = world.writer.writeSent({
      ...{ handle: from, text: 'ours after all', date: world.clock.now(), upTo: 'first' },
    } as const);
    world.news();
    expect(world.after(1_000).texts).toEqual(['ours after all']);
    const seq = world.send(from, 'ours after all');
    row.settle().markSent();
    settle(world, seq, row.guid);
    world.after(2_000);
    world.after(1_000);
    expect(world.toldOf(row.guid)).toEqual([]);
  }),
];

function writeFirst(
  { writer, clock }: FactWorld,
  message: { handle: string; text: string; firstState: 'anonymous' | 'recipient'; date?: number },
) {
  return writer.writeSent({ date: clock.now(), ...message, upTo: 'first' });
}

function settle(world: FactWorld, seq: number, guid: string): void {
  world.store.write(() => world.store.sends.settle(seq, { state: 'sent', guid }));
}
