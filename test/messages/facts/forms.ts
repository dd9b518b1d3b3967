import { expect } from 'vitest';
import { appleDate, type Columns } from '../../../src/kit/messages/AppleDatabase.js';
import { encodeSummary, type UnsendForm } from '../../../src/kit/messages/SimulatedChatEvents.js';
import { encodeAttributedBody, encodeRuns } from '../../../src/kit/messages/typedstreamEncoder.js';
import { posted } from './changes.js';
import { type Fact, fact, NOTHING } from './Fact.js';
import type { FactWorld } from './FactWorld.js';

const PART = '__kIMMessagePartAttributeName';
const MARK = '\ufffc';
const CLEARED = { text: null, attributedBody: null };

/** Two texts as parts 0 and 1 of one message. */
const twoParts = (first: string, second: string) =>
  encodeRuns([
    { text: first, attributes: [[PART, 0]] },
    { text: second, attributes: [[PART, 1]] },
  ]);

function now(world: FactWorld): bigint {
  return appleDate(world.clock.now());
}

function change(world: FactWorld, message: { rowId: number }, columns: Columns): void {
  world.writer.updateMessage(message.rowId, columns);
}

/** A message that the backend has. */
function atBackend(world: FactWorld, message: Parameters<FactWorld['receive']>[0]) {
  const received = world.receive(message);
  posted(world, received.guid);
  world.news();
  return received;
}

const UNSEND_FORMS: readonly UnsendForm[] = ['dated', 'emptied', 'summary'];

/** One fact in each form in which Messages writes it. */
export const FORMS: Fact[] = [
  ...UNSEND_FORMS.flatMap((form) => [
    fact(
      `an unsent message is reported once, over a restart too, in the form: ${form}`,
      (world) => {
        const message = atBackend(world, { from: world.person(), text: 'oops' });
        world.writer.happenings.unsend(message, world.clock.now(), form);
        expect(world.after(1000).types).toEqual(['message_unsent']);
        world.restart();
        expect(world.after(61_000).types).toEqual([]);
      },
      13,
    ),
    fact(
      `a message unsent before it was read is never forwarded, in the form: ${form}`,
      (world) => {
        const message = world.receive({ from: world.person(), text: 'oops' });
        world.writer.happenings.unsend(message, world.clock.now(), form);
        const [first, later] = [world.news(), world.after(2000)];
        expect([first.texts, later.texts, { ...first.skipped, ...later.skipped }]).toEqual([
          [],
          [],
          { unsent: 1 },
        ]);
      },
      13,
    ),
    fact(
      `a message unsent while it waits to be posted again is not posted, in the form: ${form}`,
      (world) => {
        const from = world.person();
        const message = world.receive({ from, text: 'oops' });
        world.scan();
        world.writer.happenings.unsend(message, world.clock.now(), form);
        expect(world.after(1000).types).toEqual([]);
        expect(world.store.incoming.open(from, 9)).toEqual([]);
      },
      13,
    ),
  ]),
  fact(
    'unsent in one form and later in another is reported once',
    (world) => {
      const message = atBackend(world, { from: world.person(), text: 'oops' });
      world.writer.happenings.unsend(message, world.clock.now(), 'summary');
      expect(world.after(1000).types).toEqual(['message_unsent']);
      world.writer.happenings.unsend(message, world.clock.now() + 5, 'dated');
      expect(world.after(61_000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'an unsent photo is unsent though its file is still joined',
    (world) => {
      const message = atBackend(world, { from: world.person(), attachments: [{}] });
      world.writer.happenings.unsend(message, world.clock.now(), 'summary');
      expect(world.after(1000).types).toEqual(['message_unsent']);
    },
    13,
  ),
  fact(
    'a summary that names every part means unsent, though the body still has text',
    (world) => {
      const message = atBackend(world, { from: world.person(), text: 'oops' });
      const summary = encodeSummary({ original: 1, retracted: [0] });
      change(world, message, { message_summary_info: summary, date_edited: now(world) });
      expect(world.after(1000).types).toEqual(['message_unsent']);
      const unread = world.receive({
        from: world.person(),
        text: 'oops',
        columns: { message_summary_info: summary },
      });
      expect(world.after(2000)).toMatchObject({ texts: [], skipped: { unsent: 1 } });
      expect(world.store.incoming.find(unread.guid)).toBeUndefined();
    },
    13,
  ),
  fact(
    'a body that is cleared for a moment during an edit is not unsent, and the edit is reported when it is filled',
    (world) => {
      const message = atBackend(world, { from: world.person(), text: 'at five' });
      change(world, message, { ...CLEARED, date_edited: now(world) });
      expect(world.after(1000).types).toEqual([]);
      // One of two parts taken back, and what is left not written yet.
      const inProgress = encodeSummary({ original: 2, retracted: [1] });
      change(world, message, { ...CLEARED, message_summary_info: inProgress });
      expect(world.after(1000).types).toEqual([]);
      change(world, message, { attributedBody: encodeAttributedBody('at six') });
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'at six', parts_unsent: [1] } }]);
    },
    13,
  ),
  fact(
    'an audio message that is empty, whatever is_empty says, is not unsent',
    (world) => {
      const columns = { is_audio_message: 1 };
      const message = atBackend(world, { from: world.person(), text: 'spoken', columns });
      change(world, message, { ...CLEARED, is_empty: 1 });
      expect(world.after(1000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'of a message of two texts one unsent: an edit to what is left, with the part',
    (world) => {
      const body = twoParts('keep this', 'not this');
      const message = atBackend(world, {
        from: world.person(),
        text: 'keep this',
        columns: { part_count: 2 },
      });
      change(world, message, { attributedBody: body });
      world.writer.happenings.unsendParts(message, [1], { text: 'keep', original: 2 }, world.clock.now());
      expect(world.after(1000).events).toMatchObject([
        {
          eventType: 'message_edited',
          details: { message_guid: message.guid, text: 'keep', parts_unsent: [1] },
        },
      ]);
      world.restart();
      expect(world.after(61_000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'parts unsent one after the other without a date are two edits, and then the rest is unsent',
    (world) => {
      const message = atBackend(world, { from: world.person(), text: 'a b c' });
      const left = (text: string, retracted: number[]) =>
        change(world, message, {
          text: null,
          attributedBody: text === '' ? null : encodeAttributedBody(text),
          message_summary_info: encodeSummary({ original: 3, retracted }),
        });
      left('a b', [2]);
      expect(world.after(1000).events).toMatchObject([
        { details: { text: 'a b', parts_unsent: [2], edited_at: null } },
      ]);
      left('a', [1, 2]);
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'a', parts_unsent: [1, 2] } }]);
      left('', [0, 1, 2]);
      expect(world.after(1000).types).toEqual(['message_unsent']);
    },
    13,
  ),
  fact(
    'of two photos one unsent: the other stays, the unsent one is named and does not come back as a late file',
    (world) => {
      const message = atBackend(world, { from: world.person(), attachments: [{}, {}] });
      const [kept, gone] = message.attachments.map(({ guid }) => guid);
      const left = { text: MARK, transferGuids: [kept ?? ''], original: 2 };
      world.writer.happenings.unsendParts(message, [1], left, world.clock.now());
      expect(world.after(1000).events).toMatchObject([
        { eventType: 'message_edited', details: { parts_unsent: [1], attachments_unsent: [gone] } },
      ]);
      expect(world.after(61_000).types).toEqual([]);
      expect(world.store.incoming.find(message.guid)?.attachments.map(({ guid }) => guid)).toEqual([kept]);
    },
    13,
  ),
  fact(
    'a part unsent before the message was read: only the rest is forwarded, without the file',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'look', attachments: [{}] });
      world.writer.happenings.unsendParts(message, [0], { text: 'look', original: 2 }, world.clock.now());
      expect(world.after(0).messages).toMatchObject([{ text: 'look', attachments: [] }]);
      const both = world.receive({ from: world.person(), text: 'x' });
      change(world, both, {
        text: null,
        attributedBody: twoParts('stays', 'goes'),
        message_summary_info: encodeSummary({ original: 2, retracted: [1] }),
      });
      expect(world.news().texts).toEqual(['stays']);
      expect(world.after(61_000)).toMatchObject(NOTHING);
    },
    13,
  ),
  fact(
    'an edit without a date is recognised by its history',
    (world) => {
      const message = atBackend(world, { from: world.person(), text: 'at five' });
      const at = Math.floor(world.clock.now() / 1000) * 1000;
      const versions = {
        0: [
          { text: 'at five', at: at - 60_000 },
          { text: 'at six', at },
        ],
      };
      change(world, message, {
        text: null,
        attributedBody: encodeAttributedBody('at six'),
        message_summary_info: encodeSummary({ original: 1, versions }),
      });
      const edited_at = new Date(at).toISOString();
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'at six', edited_at } }]);
      // The date that is noted later is no second edit.
      change(world, message, { date_edited: appleDate(at + 7) });
      expect(world.after(61_000).types).toEqual([]);
    },
    13,
  ),
  fact(
    'an edited text whose body is damaged is read from its history, before it is forwarded and after',
    (world) => {
      const at = world.clock.now();
      const versions = {
        0: [
          { text: 'first', at: at - 1000 },
          { text: 'second', at },
        ],
      };
      const damaged = {
        text: null,
        attributedBody: Buffer.from('garbage'),
        date_edited: appleDate(at),
        message_summary_info: encodeSummary({ original: 1, versions }),
      };
      const message = atBackend(world, { from: world.person(), text: 'first' });
      change(world, message, damaged);
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'second' } }]);
      const unread = world.receive({ from: world.person(), text: 'first' });
      change(world, unread, damaged);
      expect(world.news().texts).toEqual(['second']);
    },
    13,
  ),
  fact(
    'a damaged summary changes nothing: neither unsent nor edited',
    (world) => {
      const message = atBackend(world, { from: world.person(), text: 'stays' });
      const whole = encodeSummary({ original: 1, retracted: [0] });
      change(world, message, { message_summary_info: whole.subarray(0, whole.length - 9) });
      expect(world.after(1000)).toMatchObject(NOTHING);
      const unread = world.receive({
        from: world.person(),
        text: 'read me',
        columns: { message_summary_info: Buffer.concat([Buffer.from('Rrp'), Buffer.alloc(100)]) },
      });
      expect(world.after(1000)).toMatchObject({ texts: ['read me'], types: [] });
      expect(unread.rowId).toBeGreaterThan(0);
    },
    13,
  ),
  fact(
    'what the operator edits or unsends is no message of a person',
    (world) => {
      const to = world.acquaintance();
      const row = { is_from_me: 1, account: 'E:operator@example.com', text: 'mine', date: now(world) };
      const own = world.writer.insertMessage(row, world.writer.directChat(to));
      world.news();
      world.writer.happenings.unsend(own, world.clock.now(), 'summary');
      expect(world.after(61_000)).toMatchObject({ texts: [], types: [] });
    },
    13,
  ),
];
