import { expect } from 'vitest';
import { encodeRuns } from '../../../src/kit/messages/typedstreamEncoder.js';
import { type Fact, fact } from './Fact.js';

const PART = '__kIMMessagePartAttributeName';
const FILE = '__kIMFileTransferGUIDAttributeName';

/** Messages of several parts. */
export const PARTS: Fact[] = [
  fact('photo, "1", photo, "2" are four parts and no "12"', (world) => {
    const photo = world.receive({
      from: world.person(),
      attachments: [{}, {}],
      parts: ['\ufffc', '1', '\ufffc', '2'],
    });
    const [first, second] = photo.attachments.map(({ guid }) => ({ type: 'attachment', guid }));
    expect(world.news().messages).toMatchObject([
      { text: '1\n2', parts: [first, { type: 'text', text: '1' }, second, { type: 'text', text: '2' }] },
    ]);
  }),
  fact('two texts without anything between are two lines', (world) => {
    const from = world.person();
    const textIn = 'attributedBody';
    world.receive({ from, parts: ['see you at 8', 'bring the keys'], textIn });
    expect(world.news().messages).toMatchObject([
      {
        text: 'see you at 8\nbring the keys',
        parts: [
          { type: 'text', text: 'see you at 8' },
          { type: 'text', text: 'bring the keys' },
        ],
      },
    ]);
  }),
  fact('parts that are left after one was unsent begin with a higher number', (world) => {
    const attributedBody = encodeRuns([
      { text: 'second', attributes: [[PART, 1]] },
      { text: 'fourth', attributes: [[PART, 3]] },
    ]);
    world.receive({ from: world.person(), stages: ['row', 'chat'], columns: { attributedBody } });
    expect(world.news().texts).toEqual(['second\nfourth']);
  }),
  fact('a subject is a text of its own before the others', (world) => {
    world.receive({ from: world.person(), parts: ['a', 'b'], textIn: 'both', columns: { subject: 'Plan' } });
    expect(world.news().texts).toEqual(['Plan\na\nb']);
  }),
  fact('an image within a text makes no line', (world) => {
    const message = world.receive({
      from: world.person(),
      attachments: [{ guid: world.person() }],
      stages: ['row', 'chat', 'attachments', 'transfers'],
    });
    const guid = message.attachments[0]?.guid ?? '';
    const attributedBody = encodeRuns([
      { text: 'so', attributes: [[PART, 0]] },
      {
        text: '\ufffc',
        attributes: [
          [FILE, guid],
          [PART, 0],
        ],
      },
      { text: 'good', attributes: [[PART, 0]] },
    ]);
    world.writer.updateMessage(message.rowId, { attributedBody });
    expect(world.news().messages).toMatchObject([
      {
        text: 'so good',
        parts: [
          { type: 'text', text: 'so good' },
          { type: 'attachment', guid },
        ],
      },
    ]);
  }),
  fact('marks in the column text alone are seams, and a text of several lines is one part', (world) => {
    const from = world.person();
    world.receive({ from, attachments: [{}, {}], text: '\ufffc1\ufffc2', textIn: 'text' });
    world.receive({ from, text: 'one\n\ntwo', textIn: 'text' });
    expect(world.news().texts).toEqual(['1\n2', 'one\n\ntwo']);
  }),
  fact('a file that joins late takes its place among the parts', (world) => {
    const from = world.person();
    const photo = world.receive({
      from,
      attachments: [{}],
      parts: ['before', '\ufffc', 'after'],
      textIn: 'both',
      stages: ['row', 'text', 'chat'],
    });
    world.news();
    expect(world.after(10_000).texts).toEqual(['before\nafter']);
    photo.complete();
    world.after(1000);
    const guid = photo.attachments[0]?.guid;
    expect(world.store.incoming.find(photo.guid)).toMatchObject({
      parts: [
        { type: 'text', text: 'before' },
        { type: 'attachment', guid },
        { type: 'text', text: 'after' },
      ],
      attachments: [{ guid }],
    });
  }),
  fact(
    'an edited message has the seams and the parts of its new form',
    (world) => {
      const from = world.person();
      const message = world.receive({ from, parts: ['at 8', 'with keys'] });
      const waiting = world.receive({ from: world.person(), parts: ['at 8', 'with keys'] });
      world.news();
      for (const { seq } of world.store.incoming.open(from, 1))
        world.store.write(() => world.store.incoming.postStarted(seq, 0));
      const now = world.clock.now();
      for (const row of [message, waiting])
        world.writer.happenings.edit(row, ['at 9', 'with keys', 'all'], now);
      expect(world.after(1000).events).toMatchObject([
        { eventType: 'message_edited', details: { text: 'at 9\nwith keys\nall' } },
      ]);
      expect(world.store.incoming.find(waiting.guid)).toMatchObject({
        text: 'at 9\nwith keys\nall',
        parts: [{ text: 'at 9' }, { text: 'with keys' }, { text: 'all' }],
      });
    },
    13,
  ),
  fact('an own text that Messages split into parts is no answer of the operator', (world) => {
    const person = world.acquaintance();
    const seq = world.send(person, 'see you at 8\nbring the keys');
    const text = ['see you at 8', 'bring the keys'];
    const sent = world.writer.writeSent({ handle: person, text, date: world.clock.now() });
    expect(world.news().types).toEqual([]);
    expect(world.after(60_000).types).toEqual([]);
    expect(world.chatDb.sentRow(sent.guid)?.text).toBe('see you at 8\nbring the keys');
    expect(seq).toBeGreaterThan(0);
  }),
  fact('an answer of the operator in several parts has its seams', (world) => {
    const person = world.acquaintance();
    const text = ['I take it', 'from here'];
    world.writer.writeSent({ handle: person, text, date: world.clock.now() });
    expect(world.news().events).toMatchObject([
      { eventType: 'operator_replied', details: { text: 'I take it\nfrom here' } },
    ]);
  }),
];
