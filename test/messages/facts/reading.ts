import { expect } from 'vitest';
import { type Fact, fact, NOTHING } from './Fact.js';

/** How messages stand in chat.db. */
export const READING: Fact[] = [
  fact('the text may stand in attributedBody alone', (world) => {
    world.receive({ from: world.person(), text: 'only here', textIn: 'attributedBody' });
    expect(world.news().texts).toEqual(['only here']);
  }),
  fact('the text may stand in text alone', (world) => {
    world.receive({ from: world.person(), text: 'only there', textIn: 'text' });
    expect(world.news().texts).toEqual(['only there']);
  }),
  fact(
    'a text that is written minutes after its row is read then, and holds up nobody meanwhile',
    (world) => {
      const from = world.person();
      const late = world.receive({ from, stages: ['row', 'chat'] });
      world.receive({ from, text: 'next' });
      expect(world.news().texts).toEqual([]);
      expect(world.after(2000).texts).toEqual(['next']);
      world.clock.advance(590_000);
      world.restart();
      world.writer.updateMessage(late.rowId, { text: 'late' });
      expect(world.news()).toMatchObject({ texts: ['late'], leftOut: {} });
    },
  ),
  fact('a subject is the first line of its message, or all of it', (world) => {
    world.receive({ from: world.person(), text: 'at eight', columns: { subject: 'Dinner' } });
    world.receive({ from: world.person(), columns: { subject: 'Only this' } });
    expect(world.news().texts).toEqual(['Dinner\nat eight', 'Only this']);
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
  fact('a service is passed on as it is called: iMessage, SMS, RCS, rcs, satellite', (world) => {
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
  fact('an orphan, which never joins a chat, is a direct message of its handle after 3 s', (world) => {
    const from = world.person();
    world.receive({ from, text: 'orphan', chat: null });
    expect(world.news()).toMatchObject(NOTHING);
    expect(world.after(3000).messages).toMatchObject([{ text: 'orphan', conversation: from, chatGuid: '' }]);
  }),
  fact(
    'a message that a person deleted before it was read is not forwarded',
    (world) => {
      const message = world.receive({ from: world.person(), text: 'never mind' });
      world.writer.happenings.recentlyDelete(message);
      world.news();
      expect(world.after(3000)).toMatchObject({ ...NOTHING, leftOut: { deleted: 1 } });
    },
    13,
  ),
];
