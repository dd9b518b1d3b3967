import { describe, expect, test } from 'vitest';
import { messageBody } from '../../src/incoming/messageBody.js';
import { privacyFilter } from '../../src/incoming/privacy.js';
import type { IncomingMessage } from '../../src/model/incoming.js';

const NUMBER = '310-555-1234';
const message: IncomingMessage = {
  guid: 'GUID-1',
  rowId: 7,
  conversation: '+13105551234',
  threadId: '+13105551234',
  chatGuid: 'iMessage;-;+13105551234',
  sender: '+13105551234',
  text: `call me at ${NUMBER}`,
  sentAt: Date.UTC(2026, 10, 20),
  isGroup: false,
  participants: ['+13105551234'],
  service: 'iMessage',
  replyToGuid: null,
  attachments: [{ guid: 'at_0', mimeType: 'image/png', filename: `me@example.com.png`, sizeBytes: 1 }],
};
const body = (filter: ReturnType<typeof privacyFilter>) => messageBody(message, undefined, filter);

describe('a message for the backend', () => {
  test('without a filter is sent as it was written', () => {
    expect(body(undefined)).toMatchObject({
      filtered_text: message.text,
      text: message.text,
      was_redacted: false,
      redacted_fields: [],
      attachments: [{ filename: 'me@example.com.png' }],
    });
  });

  test('with one has only its filtered text, and no name of a file that reveals more', () => {
    const sent = body(privacyFilter(['phone', 'email'], 'US'));
    expect(sent).toMatchObject({
      filtered_text: 'call me at [phone]',
      was_redacted: true,
      redacted_fields: ['phone', 'email'],
      attachments: [{ filename: '[email]' }],
    });
    expect(sent).not.toHaveProperty('text');
    expect(JSON.stringify(sent)).not.toContain(NUMBER);
  });

  test('with one that finds nothing still has no unfiltered text: what is left out must not depend on the finds', () => {
    const sent = body(privacyFilter(['ssn'], 'US'));
    expect(sent).toMatchObject({ filtered_text: message.text, was_redacted: false, redacted_fields: [] });
    expect(sent).not.toHaveProperty('text');
  });

  test('still says whom to answer', () => {
    const { sender, threadId: thread_id, participants } = message;
    expect(body(privacyFilter(['phone'], 'US'))).toMatchObject({ sender, thread_id, participants });
  });

  test('an audio message has its transcription, also for a backend that reads texts alone, and filtered', () => {
    const file = { guid: 'at_0', mimeType: 'audio/x-caf', filename: 'Audio Message.caf', sizeBytes: 1 };
    const audio = { ...message, text: '', attachments: [{ ...file, transcription: `call ${NUMBER}` }] };
    expect(messageBody(audio, undefined)).toMatchObject({
      filtered_text: `call ${NUMBER}`,
      text: `call ${NUMBER}`,
      attachments: [{ transcription: `call ${NUMBER}` }],
    });
    const sent = messageBody(audio, undefined, privacyFilter(['phone'], 'US'));
    expect(sent).toMatchObject({
      filtered_text: 'call [phone]',
      attachments: [{ transcription: 'call [phone]' }],
    });
    expect(JSON.stringify(sent)).not.toContain(NUMBER);
  });
});
