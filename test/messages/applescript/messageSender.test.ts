import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ACCOUNT_ID } from '../../../src/kit/messages/SimulatedChats.js';
import { SimulatedMac } from '../../../src/kit/messages/SimulatedMac.js';
import { messageSender, type SmsFallback } from '../../../src/messages/applescript/messageSender.js';
import { OsascriptRunner } from '../../../src/messages/applescript/OsascriptRunner.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { isGroupKey } from '../../../src/messages/conversationId.js';
import { systemClock } from '../../../src/system/clock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

const ANN = '+13105551234';

/** The sender on a real chat.db. */
function room(smsFallback: SmsFallback) {
  const directory = temporaryDirectory();
  const mac = new SimulatedMac(directory);
  const log = new RecordingLog();
  const chatDb = new ChatDb({ path: mac.chatDbPath, clock: systemClock, log, region: 'US' });
  onTestFinished(() => {
    chatDb.close();
    mac.close();
  });
  const runner = new OsascriptRunner({
    ...{
      osascriptPath: mac.osascriptPath,
      stateDirectory: join(directory, 'state'),
      env: {},
      clock: systemClock,
      log,
    },
  });
  const sender = messageSender({
    ...{ runner, chatDb, settings: () => ({ timeoutMs: 1000, smsFallback }), isGroup: isGroupKey },
    onResult: () => undefined,
  });
  const forms = (conversation: string) => sender.targets(conversation, conversation)?.map(({ form }) => form);
  return { mac, sender, forms };
}

describe('a person is addressed', () => {
  test('by the chat as chat.db has it, then on its account', () => {
    const { mac, sender } = room('known');
    mac.chatDb.addChat({ style: 'direct', participants: [ANN], guid: `any;-;${ANN}` });
    expect(sender.targets(ANN, ANN)).toEqual([
      { form: 'chat', address: `any;-;${ANN}`, accountId: null },
      { form: 'participant', address: ANN, accountId: ACCOUNT_ID },
    ]);
  });

  test.each([
    ['never', 'iMessage', ['chat', 'participant']],
    ['never', 'SMS', ['participant']],
    ['never', 'RCS', ['participant']],
    ['known', 'iMessage', ['chat', 'participant']],
    ['known', 'SMS', ['chat', 'participant', 'sms']],
    ['known', 'RCS', ['chat', 'participant', 'sms']],
    ['known', 'rcs', ['chat', 'participant', 'sms']],
    ['always', 'iMessage', ['chat', 'participant', 'sms']],
  ] as const)('with sms_fallback %s and a chat by %s: %j', (policy, service, expected) => {
    const { mac, forms } = room(policy);
    mac.chatDb.directChat(ANN, service);
    expect(forms(ANN)).toEqual(expected);
  });

  test('by SMS too if only a handle shows it, however the number is written there', () => {
    const { mac, forms } = room('known');
    mac.chatDb.directChat(ANN);
    expect(forms(ANN)).toEqual(['chat', 'participant']);
    mac.chatDb.handle('(310) 555-1234', 'SMS');
    expect(forms(ANN)).toEqual(['chat', 'participant', 'sms']);
  });

  test('under sms_fallback never by no chat and no account of SMS, however new its messages are', () => {
    for (const guid of [`SMS;-;${ANN}`, `any;-;${ANN}`, `rcs;-;${ANN}`]) {
      const { mac, sender } = room('never');
      mac.chatDb.directChat(ANN);
      const service = guid.startsWith('any') ? { service: 'SMS' } : {};
      const sms = mac.chatDb.addChat({
        ...{ style: 'direct', participants: [ANN], guid, accountId: 'SMS-ACCOUNT', ...service },
      });
      mac.chatDb.receive({ from: ANN, text: 'by SMS', chat: sms });
      expect(sender.targets(ANN, `iMessage;-;${ANN}`)).toEqual([
        { form: 'chat', address: `iMessage;-;${ANN}`, accountId: null },
        { form: 'participant', address: ANN, accountId: ACCOUNT_ID },
      ]);
    }
  });

  test('under sms_fallback never not at all in a group by SMS', () => {
    const { mac, sender } = room('never');
    const { identifier } = mac.chatDb.groupChat([ANN], { service: 'SMS' });
    expect(sender.targets(identifier, `iMessage;+;${identifier}`)).toEqual([]);
    expect(sender.targets('chatNOPE', 'SMS;+;chatNOPE')).toEqual([]);
    expect(sender.needsSms?.(identifier, `iMessage;+;${identifier}`)).toBe(true);
    expect(sender.needsSms?.('chatNOPE', 'SMS;+;chatNOPE')).toBe(true);
  });

  test('sms_fallback is not blamed where there is no such group at all', () => {
    const never = room('never').sender;
    expect(never.targets('chat831045559999', 'chat831045559999')).toEqual([]);
    expect(never.needsSms?.('chat831045559999', 'chat831045559999')).toBe(false);
    expect(room('always').sender.needsSms?.('chatNOPE', 'SMS;+;chatNOPE')).toBe(false);
  });

  test('never by SMS at an e-mail address, nor in a group', () => {
    const { mac, forms } = room('always');
    mac.chatDb.directChat('ann@example.com');
    const group = mac.chatDb.groupChat([ANN, 'ann@example.com'], { service: 'SMS' });
    expect(forms('ann@example.com')).toEqual(['chat', 'participant']);
    expect(forms(group.identifier)).toEqual(['chat']);
  });
});

describe('a person with several chats', () => {
  const two = (mac: SimulatedMac, more: { service?: string } = {}) => {
    const of = (accountId: string) => ({
      ...({
        style: 'direct',
        participants: [ANN],
        identifier: ANN,
        accountId,
        guid: `${accountId};-;${ANN}`,
      } as const),
    });
    const first = mac.chatDb.addChat({ ...of('FIRST'), ...more });
    const second = mac.chatDb.addChat(of('SECOND'));
    mac.chatDb.receive({ from: ANN, text: 'older', chat: first, date: 1_700_000_000_000 });
    mac.chatDb.receive({ from: ANN, text: 'newer', chat: second, date: 1_700_000_001_000 });
    return { first, second };
  };
  const by = (guid: string, accountId: string) => [
    { form: 'chat', address: guid, accountId: null },
    { form: 'participant', address: ANN, accountId },
  ];

  test('is answered by the chat of the message and from its account, otherwise by the newest', () => {
    const { mac, sender } = room('known');
    const { first, second } = two(mac);
    expect(sender.targets(ANN, ANN, first.guid)).toEqual(by(first.guid, 'FIRST'));
    expect(sender.targets(ANN, ANN, second.guid)).toEqual(by(second.guid, 'SECOND'));
    expect(sender.targets(ANN, ANN, null)).toEqual(by(second.guid, 'SECOND'));
    expect(sender.targets(ANN, ANN)).toEqual(by(second.guid, 'SECOND'));
  });

  test('gets the newest chat where the chat of the message is gone, is not theirs, or is by SMS under never', () => {
    const { mac, sender } = room('never');
    const { first, second } = two(mac, { service: 'SMS' });
    const stranger = mac.chatDb.directChat('+13105559876');
    for (const answered of ['any;-;gone', stranger.guid, first.guid])
      expect(sender.targets(ANN, ANN, answered)).toEqual(by(second.guid, 'SECOND'));
  });

  test.each(['13105551234', '3105551234', '(310) 555-1234'])(
    'a chat that is named %s comes after the person in E.164, unless the message came in it',
    (identifier) => {
      const { mac, sender } = room('known');
      const odd = mac.chatDb.addChat({ style: 'direct', participants: [ANN], identifier });
      mac.chatDb.receive({ from: ANN, text: 'hi', chat: odd });
      const chat = { form: 'chat', address: odd.guid, accountId: null };
      const participant = { form: 'participant', address: ANN, accountId: ACCOUNT_ID };
      expect(sender.targets(ANN, ANN)).toEqual([participant, chat]);
      expect(sender.targets(ANN, ANN, odd.guid)).toEqual([chat, participant]);
      const right = mac.chatDb.directChat(ANN);
      expect(sender.targets(ANN, ANN)?.[0]).toEqual({ ...chat, address: right.guid });
    },
  );

  test('in a group the newest chat is used, whichever the message came in', () => {
    const { mac, sender } = room('known');
    const [older, newer] = ['SMS', 'iMessage'].map((service) =>
      mac.chatDb.groupChat([ANN], { identifier: 'chat7', guid: `${service};+;chat7`, service }),
    );
    if (older === undefined || newer === undefined) throw new Error('unreachable: there are two chats');
    mac.chatDb.receive({ from: ANN, text: 'older', chat: older, date: 1_700_000_000_000 });
    mac.chatDb.receive({ from: ANN, text: 'newer', chat: newer, date: 1_700_000_001_000 });
    expect(sender.targets('chat7', 'chat7', older.guid)).toMatchObject([{ address: newer.guid }]);
  });
});

describe('a group that is not in chat.db', () => {
  test('is addressed only under the guid that the backend named, and never as a person', () => {
    const { sender } = room('always');
    expect(sender.targets('chatNOPE', 'iMessage;+;chatNOPE')).toEqual([
      { form: 'chat', address: 'iMessage;+;chatNOPE', accountId: null },
    ]);
    expect(sender.targets('chat777', 'chat777')).toEqual([]);
  });

  test.each(['chat777', 'SMS;+;chat777'])(
    'by a bare id is not reported as unknown while chat.db cannot be read (%s)',
    (threadId) => {
      const { mac, sender } = room('never');
      const group = mac.chatDb.groupChat([ANN], { identifier: 'chat777' });
      rmSync(mac.chatDbPath);
      expect(sender.targets('chat777', threadId)).toBeUndefined();
      expect(sender.targets('chat777', group.guid)).toMatchObject([{ address: group.guid }]);
    },
  );
});
