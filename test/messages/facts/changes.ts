import { expect } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { encodeAttributedBody } from '../../../src/kit/messages/typedstreamEncoder.js';
import { type Fact, fact, NOTHING } from './Fact.js';
import { DEFAULTS, type FactWorld } from './FactWorld.js';

/** Messages that are changed or taken back in place. */
export const CHANGES: Fact[] = [
  fact(
    'an edit changes the row in place: reported once, over restarts too, and again if edited again',
    (world) => {
      const from = world.person();
      const message = world.receive({ from, text: 'see you at 5' });
      posted(world, message.guid);
      const at = world.clock.now();
      world.writer.happenings.edit(message, 'see you at 6', at);
      expect(world.after(1000).events).toMatchObject([
        {
          eventType: 'message_edited',
          threadId: from,
          details: {
            message_guid: message.guid,
            text: 'see you at 6',
            sender: from,
            edited_at: new Date(at).toISOString(),
          },
        },
      ]);
      expect(world.after(1000).types).toEqual([]);
      world.restart();
      expect(world.after(60_000).types).toEqual([]);
      world.writer.happenings.edit(message, 'see you at 7', world.clock.now());
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'see you at 7' } }]);
    },
    13,
  ),
  fact(
    'an unsend empties the row (macOS 26: without a date): reported once, over restarts too',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'oops' });
      posted(world, message.guid);
      const at = world.clock.now();
      world.writer.happenings.unsend(message, at);
      expect(world.after(1000).events).toMatchObject([
        {
          eventType: 'message_unsent',
          details: {
            message_guid: message.guid,
            unsent_at: world.version >= 26 ? null : new Date(at).toISOString(),
          },
        },
      ]);
      world.restart();
      expect(world.after(60_000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'a message that was edited before it was read is read as edited, and no edit is reported',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'first' });
      world.writer.happenings.edit(message, 'second', world.clock.now());
      posted(world, message.guid);
      expect(world.news()).toMatchObject({ texts: ['second'], types: [] });
      expect(world.after(61_000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'a message that was unsent before it was read is not forwarded',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'oops' });
      world.writer.happenings.unsend(message, world.clock.now());
      const [at, later] = [world.news(), world.after(2000)];
      expect([at.texts, later.texts, { ...at.skipped, ...later.skipped }]).toEqual([[], [], { unsent: 1 }]);
    },
    13,
  ),
  fact(
    'a message of which a part was unsent before it was read is what is left of it, and no edit is reported',
    (world) => {
      const at = appleDate(world.clock.now());
      const columns = { date_retracted: at, date_edited: at, part_count: 2 };
      const message = world.receive({ from: world.person(), text: 'the part that stays', columns });
      const alone = world.receive({
        from: world.person(),
        text: 'the rest',
        columns: { date_retracted: at },
      });
      posted(world, message.guid, alone.guid);
      expect(world.news()).toMatchObject({
        texts: ['the part that stays', 'the rest'],
        types: [],
        skipped: {},
      });
      expect(world.after(61_000)).toMatchObject(NOTHING);
    },
    13,
  ),
  fact(
    'an edit, and then a part unsent, are two changes, each reported once',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'part one part two' });
      posted(world, message.guid);
      world.writer.happenings.edit(message, 'part ONE part two', world.clock.now());
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'part ONE part two' } }]);
      const at = world.clock.now();
      const attributedBody = encodeAttributedBody('part ONE');
      const left = { text: 'part ONE', attributedBody, date_retracted: appleDate(at), part_count: 2 };
      world.writer.updateMessage(message.rowId, left);
      expect(world.after(1000).events).toMatchObject([
        {
          eventType: 'message_edited',
          details: { text: 'part ONE', edited_at: new Date(at).toISOString() },
        },
      ]);
      expect(world.after(61_000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'an edit whose body cannot be read is no unsend; it is reported when it can be read',
    (world) => {
      const from = world.person();
      const [message, waiting] = [
        world.receive({ from, text: 'good text' }),
        world.receive({ from: world.person(), text: 'good text' }),
      ];
      posted(world, message.guid);
      const edited = { date_edited: appleDate(world.clock.now()), text: null };
      for (const { rowId } of [message, waiting])
        world.writer.updateMessage(rowId, { ...edited, attributedBody: Buffer.from('garbage') });
      expect(world.after(1000).types).toEqual([]);
      world.writer.updateMessage(message.rowId, { attributedBody: null });
      expect(world.after(1000).types).toEqual([]);
      expect(world.store.incoming.find(waiting.guid)?.text).toBe('good text');
      world.writer.updateMessage(message.rowId, { attributedBody: encodeAttributedBody('better text') });
      expect(world.after(1000).events).toMatchObject([
        { eventType: 'message_edited', details: { message_guid: message.guid, text: 'better text' } },
      ]);
    },
    13,
  ),
  fact(
    'an edit keeps the subject above the text',
    (world) => {
      const message = world.receive({
        from: world.person(),
        text: 'at five',
        columns: { subject: 'Dinner' },
      });
      posted(world, message.guid);
      world.writer.happenings.edit(message, 'at six', world.clock.now());
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'Dinner\nat six' } }]);
    },
    13,
  ),
  fact(
    'an edit that comes while the agent is down, or hours after, is found within 48 h',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'before' });
      posted(world, message.guid);
      world.clock.advance(5 * 3600_000);
      world.writer.happenings.edit(message, 'hours later', world.clock.now());
      world.restart();
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'hours later' } }]);
    },
    13,
  ),
  fact(
    'a message that still waits to be posted is posted as edited, or not at all; no change is reported',
    (world) => {
      const [ann, bob] = [world.person(), world.person()];
      const edited = world.receive({ from: ann, text: 'first' });
      const unsent = world.receive({ from: bob, text: 'oops' });
      world.news();
      world.writer.happenings.edit(edited, 'second', world.clock.now());
      world.writer.happenings.unsend(unsent, world.clock.now());
      expect(world.after(1000).types).toEqual([]);
      expect(world.store.incoming.open(ann, 9).map(({ message }) => message.text)).toEqual(['second']);
      expect(world.store.incoming.open(bob, 9)).toEqual([]);
    },
    13,
  ),
  fact(
    'forward.edits and forward.unsends: false, and what was not reported stays unreported',
    (world) => {
      Object.assign(world.settings, { edits: false, unsends: false });
      const edited = world.receive({ from: world.person(), text: 'a' });
      const unsent = world.receive({ from: world.person(), text: 'b' });
      posted(world, edited.guid, unsent.guid);
      world.writer.happenings.edit(edited, 'c', world.clock.now());
      world.writer.happenings.unsend(unsent, world.clock.now());
      expect(world.after(1000).types).toEqual([]);
      world.settings = { ...DEFAULTS };
      expect(world.after(61_000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'an edit of a message that the backend never got is not reported',
    (world) => {
      const from = world.person();
      world.settings.ignore = [from];
      const message = world.receive({ from, text: 'secret' });
      world.news();
      world.writer.happenings.edit(message, 'more secret', world.clock.now());
      expect(world.after(1000)).toMatchObject(NOTHING);
    },
    13,
  ),
];

/** Messages that are at the backend already. */
export function posted(world: FactWorld, ...guids: string[]): void {
  world.scan();
  const { store } = world;
  store.write(() => {
    for (const guid of guids) {
      const conversation = store.incoming.find(guid)?.conversation ?? '';
      for (const { seq } of store.incoming.open(conversation, 10)) {
        store.incoming.postStarted(seq, 0);
        store.incoming.settle(seq, 'answered');
      }
    }
  });
}
