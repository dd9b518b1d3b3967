import { expect } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { encodeAttributedBody } from '../../../src/kit/messages/typedstreamEncoder.js';
import { posted } from './changes.js';
import { type Fact, fact } from './Fact.js';

const RECEIVER = '$(kIMTranscriptPluginBreadcrumbTextReceiverIdentifier)';
const SENDER = '$(kIMTranscriptPluginBreadcrumbTextSenderIdentifier)';
const APP = {
  balloon_bundle_id:
    'com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.ActivityMessagesApp',
};

/** A body that ends within its attributes, with a text that is declared to be longer than it is. */
function overrunning(text: string): Buffer {
  const whole = encodeAttributedBody(text);
  const at = whole.indexOf(Buffer.from(text, 'utf8'));
  const damaged = Buffer.from(whole);
  damaged[at - 1] = Math.min(Buffer.byteLength(text) + 60, 0x7f);
  return damaged;
}

/** What a row contains that is not what a person wrote. */
export const NO_TEXT: Fact[] = [
  ...[
    `${RECEIVER} closed all three rings`,
    `${SENDER} sent a competition invitation`,
    RECEIVER,
    `\ufffd${SENDER} accepted`,
    '$(kIMSomethingThatAppleAddsLater) joined',
  ].map((line) =>
    fact(`an app's line is no text: ${JSON.stringify(line)}`, (world) => {
      world.receive({ from: world.person(), text: line });
      world.receive({ from: world.person(), text: line, columns: APP });
      expect(world.news()).toMatchObject({ texts: [], skipped: { app: 2 } });
    }),
  ),
  ...[
    ['what is $(kim) in your log?', 'what is $(kim) in your log?'],
    ['$(kimono) $(KIM) $(kIM', '$(kimono) $(KIM) $(kIM'],
    [`it says ${RECEIVER} here`, 'it says  here'],
    ['NSDictionary and __kIMMessagePartAttributeName', 'NSDictionary and __kIMMessagePartAttributeName'],
    ['one\u0000two', 'onetwo'],
    ['bell\u0007 and escape\u001b[31m', 'bell and escape[31m'],
    ['c1\u0090\u009f', 'c1'],
    ['a\r\nb\rc\u0085d\te\u000bf', 'a\nb\nc\nd\te\nf'],
    ['family 👨‍👩‍👧 stays\u200d', 'family 👨‍👩‍👧 stays\u200d'],
  ].map(([written = '', read = '']) =>
    fact(`what a person wrote stays: ${JSON.stringify(written)}`, (world) => {
      world.receive({ from: world.person(), text: written });
      expect(world.news().texts).toEqual([read]);
    }),
  ),
  fact('a text of nothing but placeholders, control characters or halves of characters is none', (world) => {
    for (const text of ['\ufffd', '\u0001\u0002', '\ufffd\u0007 \ufffd'])
      world.receive({ from: world.person(), text });
    expect(world.news().texts).toEqual([]);
    expect(world.after(700_000)).toMatchObject({ texts: [], skipped: { empty: 3 } });
  }),
  ...['hello', 'grüße aus Köln', 'ok 👍', 'two\nlines'].map((text) =>
    fact(
      `of a damaged body only the text before its binary rest is read: ${JSON.stringify(text)}`,
      (world) => {
        world.receive({ from: world.person(), columns: { attributedBody: overrunning(text) } });
        expect(world.news().texts).toEqual([text]);
      },
    ),
  ),
  fact('a damaged body that is entirely binary is not read as text', (world) => {
    const body = Buffer.concat([
      Buffer.from('\x04\x0bstreamtyped\x81\xe8\x03\x84NSString\x01\x94\x84\x01+\x20', 'latin1'),
      Buffer.from([0x86, 0x84, 0x02, 0x69, 0x49, 0x01, 0x05]),
      Buffer.from('NSDictionary__kIMMessagePartAttributeName'),
    ]);
    world.receive({ from: world.person(), columns: { attributedBody: body } });
    expect(world.news().texts).toEqual([]);
    expect(world.after(700_000)).toMatchObject({ texts: [], skipped: { damaged: 1 } });
  }),
  fact(
    'an edit is cleaned as a message is',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'hello' });
      posted(world, message.guid);
      world.news();
      world.writer.happenings.edit(message, `hello\u0000 ${SENDER}\u0003again`, world.clock.now());
      expect(world.after(1000).events).toMatchObject([{ details: { text: 'hello again' } }]);
    },
    13,
  ),
  fact('and so is what the operator writes', (world) => {
    const to = world.acquaintance();
    const date = appleDate(world.clock.now());
    const text = 'mine\u0002 too';
    world.writer.insertMessage({ is_from_me: 1, text, date }, world.writer.directChat(to));
    expect(world.after(200_000).events).toMatchObject([{ details: { text: 'mine too' } }]);
  }),
  fact('and so is a subject', (world) => {
    world.receive({ from: world.person(), text: 'b', columns: { subject: '\u0000A\ufffd' } });
    expect(world.news().texts).toEqual(['A\nb']);
  }),
];
