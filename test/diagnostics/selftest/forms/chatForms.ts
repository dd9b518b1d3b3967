import { openDatabase } from '../../../../src/store/sqlite.js';
import { type Form, GROUP_ID, groups, OTHER, PERSON, say, THEN } from './writing.js';

/** Chats, addresses and files. */
export const CHAT_FORMS: readonly Form[] = [
  ['group-lookup', 'agrees', 'one person left', (m) => groups(m, [[PERSON, OTHER], [PERSON]], ['x', 'x'])],
  ['group-lookup', 'contradicted', 'nobody in common', (m) => groups(m, [[PERSON], [OTHER]], ['x', 'x'])],
  ['group-lookup', 'absent', 'no ties', (m) => groups(m, [[PERSON], [OTHER]], ['x', 'y'])],
  [
    'group-ids',
    'agrees',
    'tied by both',
    (m) =>
      groups(
        m,
        [
          [PERSON, OTHER],
          [OTHER, PERSON],
        ],
        ['x', 'x'],
        [GROUP_ID, GROUP_ID],
      ),
  ],
  [
    'group-ids',
    'contradicted',
    'kept apart by chat_lookup',
    (m) =>
      groups(
        m,
        [
          [PERSON, OTHER],
          [OTHER, PERSON],
        ],
        ['x', 'y'],
        [GROUP_ID, GROUP_ID],
      ),
  ],
  [
    'group-ids',
    'absent',
    'other people',
    (m) => groups(m, [[PERSON], [OTHER]], ['x', 'y'], [GROUP_ID, GROUP_ID]),
  ],
  ['written-to', 'agrees', 'an account', (m) => say(m, 'a', 0)],
  [
    'written-to',
    'contradicted',
    'an address of nobody here',
    (m) => say(m, 'a', 0, { destination_caller_id: '+13105550199' }),
  ],
  [
    'written-to',
    'absent',
    'an SMS that a phone relays',
    (m) => say(m, 'a', 0, { service: 'SMS', destination_caller_id: '+13105550199' }),
  ],
  ['chat-accounts', 'agrees', 'an id', (m) => say(m, 'a', 0)],
  [
    'chat-accounts',
    'contradicted',
    'none',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], accountId: '' });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  [
    'chat-accounts',
    'contradicted',
    'no id of the known form',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], accountId: 'iMessage' });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  [
    'plain-numbers',
    'agrees',
    'nothing was delivered',
    (m) => m.writeSent({ chat: m.directChat('447967960994'), text: 'a', date: THEN }),
  ],
  [
    'plain-numbers',
    'contradicted',
    'delivered',
    (m) => m.writeSent({ chat: m.directChat('447967960994'), text: 'a', date: THEN, upTo: 'delivered' }),
  ],
  [
    'plain-numbers',
    'absent',
    'a short code, and a long one of SMS',
    (m) => {
      m.receive({ from: '22000', text: 'a', service: 'SMS' });
      m.receive({ from: '1069012345678', text: 'a', service: 'SMS' });
    },
  ],
  ['account-forms', 'agrees', 'E:', (m) => say(m, 'a', 0)],
  [
    'account-forms',
    'contradicted',
    'bare addresses',
    (m) => [0, 1].map((at) => say(m, 'a', at, { account: 'operator@example.com' })),
  ],
  [
    'filtered-chats',
    'agrees',
    'junk',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], filtered: 2 });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  [
    'filtered-chats',
    'contradicted',
    'an unknown kind',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], filtered: 7 });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  ['deleted-messages', 'agrees', 'moved', (m) => m.happenings.recentlyDelete(say(m, 'a', 0))],
  [
    'deleted-messages',
    'contradicted',
    'still in its chat',
    (m) => {
      const message = say(m, 'a', 0);
      m.happenings.recentlyDelete(message);
      m.joinChat(message.rowId, m.directChat(PERSON));
    },
  ],
  ['finished-files', 'agrees', 'a file', (m) => m.receive({ from: PERSON, attachments: [{}], date: THEN })],
  [
    'finished-files',
    'contradicted',
    'no path',
    (m) => {
      for (const text of ['a', 'b']) m.receive({ from: PERSON, text, attachments: [{}], date: THEN });
      const database = openDatabase(m.path);
      database.exec('UPDATE attachment SET filename = NULL');
      database.close();
    },
  ],
  [
    'file-types',
    'agrees',
    'a known uti',
    (m) => m.receive({ from: PERSON, attachments: [{ mimeType: null, uti: 'public.heic' }] }),
  ],
  [
    'file-types',
    'contradicted',
    'unknown ones',
    (m) =>
      m.receive({
        from: PERSON,
        attachments: [
          { mimeType: null, uti: 'dyn.a' },
          { mimeType: null, uti: 'dyn.b' },
        ],
      }),
  ],
];
