import { expect } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { encodeAttributedBody, encodeRuns } from '../../../src/kit/messages/typedstreamEncoder.js';
import { type Fact, fact, NOTHING } from './Fact.js';

/** The forms of messages in chat.db. */
export const READING: Fact[] = [
  fact('the text may be in attributedBody alone', (world) => {
    world.receive({ from: world.person(), text: 'only here', textIn: 'attributedBody' });
    expect(world.news().texts).toEqual(['only here']);
  }),
  fact('the text may be in text alone', (world) => {
    world.receive({ from: world.person(), text: 'only there', textIn: 'text' });
    expect(world.news().texts).toEqual(['only there']);
  }),
  fact('a text that is written minutes after its row is read then, and delays no one meanwhile', (world) => {
    const from = world.person();
    const late = world.receive({ from, stages: ['row', 'chat'] });
    world.receive({ from, text: 'next' });
    expect(world.news().texts).toEqual([]);
    expect(world.after(2000).texts).toEqual(['next']);
    world.clock.advance(590_000);
    world.restart();
    world.writer.updateMessage(late.rowId, { text: 'late' });
    expect(world.news()).toMatchObject({ texts: ['late'], skipped: {} });
  }),
  fact('a file without mime_type is known by its uti', (world) => {
    const attachments = [
      { name: 'IMG', mimeType: null, uti: 'public.heic' },
      { name: 'IMG', mimeType: '', uti: 'public.jpeg' },
      { name: 'x.bin', mimeType: null, uti: 'dyn.unheard' },
    ];
    world.receive({ from: world.person(), attachments });
    expect(world.news().messages[0]?.attachments.map(({ mimeType }) => mimeType)).toEqual([
      'image/heic',
      'image/jpeg',
      null,
    ]);
  }),
  fact('dates are ns since 2001, beyond what a number holds', (world) => {
    const date = world.clock.now() - 1_234;
    world.receive({ from: world.person(), text: 'when', date });
    expect(world.news().messages[0]?.sentAt).toBe(date);
  }),
  fact(
    'an inline reply names the message it answers; reply_to_guid, set on nearly all, does not',
    (world) => {
      const from = world.person();
      world.receive({ from, text: 'a', columns: { thread_originator_guid: 'ASKED', reply_to_guid: 'X' } });
      world.receive({ from, text: 'b', columns: { reply_to_guid: 'X' } });
      expect(world.news().messages.map(({ replyToGuid }) => replyToGuid)).toEqual(['ASKED', null]);
    },
  ),
  fact('a service is passed on by its name: iMessage, SMS, RCS, rcs, satellite', (world) => {
    const services = ['iMessage', 'SMS', 'RCS', 'rcs', 'iMessageLite', 'SatelliteRelay'];
    const from = world.person();
    const chat = world.writer.directChat(from);
    for (const service of services) world.receive({ from, text: service, service, chat });
    expect(world.news().messages.map(({ service }) => service)).toEqual(services);
  }),
  fact('an audio message is a message with its file', (world) => {
    const attachments = [{ name: 'Audio Message.caf', mimeType: 'audio/x-caf' }];
    world.receive({ from: world.person(), attachments, columns: { is_audio_message: 1 } });
    expect(world.news().messages).toMatchObject([
      { text: '', attachments: [{ mimeType: 'audio/x-caf', filename: 'Audio Message.caf' }] },
    ]);
  }),
  fact('where the body has nothing to read, the column text is read, and the other way round', (world) => {
    const from = world.person();
    const whole = encodeAttributedBody('the saved text');
    const damaged = whole.subarray(0, whole.indexOf('the saved text') + 'the saved text'.length);
    world.receive({ from, columns: { text: '', attributedBody: damaged } });
    world.receive({ from, columns: { text: 'in the column', attributedBody: encodeAttributedBody('') } });
    expect(world.news().texts).toEqual(['the saved text', 'in the column']);
  }),
  fact('a subject is put above the text, and may be all that was written', (world) => {
    const from = world.person();
    world.receive({ from, text: 'at five', columns: { subject: 'Dinner' } });
    world.receive({ from, columns: { subject: ' Dinner? ' } });
    expect(world.news().texts).toEqual(['Dinner\nat five', 'Dinner?']);
  }),
  fact('without a handle the sender is the other side of a direct chat, and unknown in a group', (world) => {
    const [ann, bob] = [world.person(), world.person()];
    world.receive({ from: ann, text: 'mine', chat: world.writer.directChat(ann), columns: { handle_id: 0 } });
    world.receive({
      from: bob,
      text: 'whose',
      chat: world.writer.groupChat([ann, bob]),
      columns: { handle_id: 0 },
    });
    expect(world.news()).toMatchObject({ texts: [], skipped: {} });
    const { messages, skipped } = world.after(1000);
    expect(messages).toMatchObject([{ text: 'mine', sender: ann }]);
    expect(skipped).toEqual({});
    expect(world.after(600_000)).toMatchObject({ texts: [], skipped: { senderless: 1 } });
  }),
  ...[3_000, 60_000, 500_000].map((ms) =>
    fact(`a message in a group whose handle comes ${ms} ms late is its sender's`, (world) => {
      const [ann, bob] = [world.acquaintance(), world.acquaintance()];
      const chat = world.writer.groupChat([ann, bob]);
      const columns = { is_from_me: 0, is_finished: 1, handle_id: 0, text: 'late handle' };
      const row = world.writer.insertMessage({ ...columns, date: appleDate(world.clock.now()) }, chat);
      expect(world.news().texts).toEqual([]);
      expect(world.after(ms)).toMatchObject({ texts: [], skipped: {} });
      world.writer.updateMessage(row.rowId, { handle_id: world.writer.handle(bob) });
      expect(world.after(1_000).messages).toMatchObject([{ text: 'late handle', sender: bob }]);
    }),
  ),
  fact('cache_has_attachments is set before the files are joined, or not yet when they are', (world) => {
    const from = world.person();
    const early = world.receive({
      from,
      text: 'early',
      attachments: [{ name: 'a.png' }],
      stages: ['row', 'text', 'chat'],
      columns: { cache_has_attachments: 1 },
    });
    expect(world.news().texts).toEqual([]);
    early.complete();
    world.receive({
      from,
      text: 'late',
      attachments: [{ name: 'b.png' }],
      columns: { cache_has_attachments: 0 },
    });
    expect(world.news().messages).toMatchObject([
      { text: 'early', attachments: [{ filename: 'a.png' }] },
      { text: 'late', attachments: [{ filename: 'b.png' }] },
    ]);
  }),
  fact('a hidden attachment is no file of a person’s', (world) => {
    const attachments = [{ name: 'x.pluginPayloadAttachment', hidden: true }];
    world.receive({ from: world.person(), text: 'look', attachments });
    expect(world.news().messages).toMatchObject([{ text: 'look', attachments: [] }]);
  }),
  fact('a file that Messages could not fetch, or that is only in iCloud, is still named', (world) => {
    const from = world.person();
    world.receive({ from, attachments: [{ name: 'broken.png', endState: 6 }] });
    world.receive({ from, attachments: [{ name: 'away.png', endState: 0 }] });
    expect(world.news().messages).toMatchObject([{ attachments: [{ filename: 'broken.png' }] }]);
    expect(world.after(10_000).messages).toMatchObject([{ attachments: [{ filename: 'away.png' }] }]);
  }),
  fact('associated_message_type 2 and 3 are no reactions', (world) => {
    const from = world.person();
    for (const type of [2, 3])
      world.receive({ from, text: `t${type}`, columns: { associated_message_type: type } });
    expect(world.news()).toMatchObject({ texts: ['t2', 't3'], types: [] });
  }),
  fact('a tapback of a phone without iMessage is a plain text, and stays one', (world) => {
    world.receive({ from: world.person(), text: 'Liked “see you”', service: 'SMS' });
    expect(world.news()).toMatchObject({ texts: ['Liked “see you”'], types: [] });
  }),
  fact('mentions, links and formats change nothing of the text', (world) => {
    const attributedBody = encodeRuns([
      { text: 'ask ', attributes: [['__kIMTextBoldAttributeName', 1]] },
      { text: 'Ann', attributes: [['__kIMMentionConfirmedMention', '+13105551234']] },
      { text: ' at a.example', attributes: [['__kIMLinkAttributeName', { url: 'https://a.example' }]] },
    ]);
    world.receive({ from: world.person(), stages: ['row', 'chat'], columns: { attributedBody } });
    expect(world.news().texts).toEqual(['ask Ann at a.example']);
  }),
  fact('an expressive effect changes nothing', (world) => {
    const columns = { expressive_send_style_id: 'com.apple.messages.effect.CKConfettiEffect' };
    world.receive({ from: world.person(), text: 'hooray', columns });
    expect(world.news().texts).toEqual(['hooray']);
  }),
  fact('a text in two chats is one message, in the chat of its service', (world) => {
    const from = world.person();
    const guid = `SMS;-;${from}`;
    const sms = world.writer.addChat({ style: 'direct', participants: [from], service: 'SMS', guid });
    const message = world.receive({ from, text: 'once', service: 'iMessage' });
    world.writer.joinChat(message.rowId, sms);
    const { messages } = world.news();
    expect(messages).toHaveLength(1);
    expect(messages[0]?.chatGuid).toBe(world.writer.directChat(from).guid);
  }),
  fact('however the row and the chat spell that service', (world) => {
    const from = world.person();
    const chat = world.writer.directChat(from);
    const guid = `RCS;-;${from}`;
    const rcs = world.writer.addChat({ style: 'direct', participants: [from], service: 'RCS', guid });
    const message = world.receive({ from, text: 'once', chat, columns: { service: 'rcs' } });
    world.writer.joinChat(message.rowId, rcs);
    expect(world.news().messages).toMatchObject([{ chatGuid: guid }]);
  }),
  fact('an orphan of a person in no group is a direct message of its handle after a minute', (world) => {
    const from = world.person();
    world.receive({ from, text: 'orphan', chat: null });
    expect(world.news()).toMatchObject(NOTHING);
    expect(world.after(59_999)).toMatchObject(NOTHING);
    expect(world.after(1).messages).toMatchObject([{ text: 'orphan', conversation: from, chatGuid: '' }]);
  }),
  fact(
    'an orphan of a person in a group is never a private message, however long it has no chat',
    (world) => {
      const from = world.person();
      world.writer.groupChat([from, world.person()]);
      world.receive({ from, text: 'for all of you', chat: null });
      expect(world.news()).toMatchObject(NOTHING);
      expect(world.after(60_000)).toMatchObject(NOTHING);
      expect(world.after(3_600_000)).toMatchObject({ ...NOTHING, skipped: { chatless: 1 } });
    },
  ),
  fact(
    'a message that a person deleted before it was read is not forwarded',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'never mind' });
      world.writer.happenings.recentlyDelete(message);
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { deleted: 1 } });
    },
    13,
  ),
];
