import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { composeReader } from '../../src/daemon/composeReader.js';
import { forwarding } from '../../src/incoming/forwarding.js';
import { ChatDbWriter } from '../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../src/messages/chatdb/ChatDb.js';
import type { Reading } from '../../src/messages/chatdb/ChatDbConnection.js';
import { ConversationNames } from '../../src/messages/chatdb/ConversationNames.js';
import type { MessageRows } from '../../src/messages/chatdb/rows.js';
import { wordsKey } from '../../src/outgoing/DuplicatePairing.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const PERSON = '+13105551234';

/** Messages may write between two looks of the reader. */
class ChatDbBetween extends ChatDb {
  beforeRows = (): void => undefined;

  override readMessages<T>(work: (rows: MessageRows, generation: string) => T): Reading<T> {
    this.beforeRows();
    return super.readMessages(work);
  }
}

function place() {
  const directory = temporaryDirectory();
  const clock = new FakeClock();
  const log = new RecordingLog();
  const chatPath = join(directory, 'chat.db');
  const writer = new ChatDbWriter(chatPath, { version: 15 });
  const store = temporaryStore(clock, directory);
  const names = new ConversationNames(store, 'US', log, wordsKey);
  const chatDb = new ChatDbBetween({ path: chatPath, clock, log, region: 'US', groups: names });
  const env = { HOME: directory, USER_PHONE: '+13105550100', BACKEND_URL: 'http://127.0.0.1:9' };
  const { config } = loadConfig({ env, cwd: directory, homeDir: directory, platform: 'linux' });
  const reader = composeReader({
    ...{ chatDb, names, store, clock, log, region: 'US', worthAnswering: () => true },
    config: { slice: (read) => () => read(config) },
    incoming: forwarding({
      ...{ store, clock, log, config: () => config, conversationKey: names.keyOf },
      ...{ normalise: (text) => text, disclose: (text) => text, onFiles: () => undefined },
    }),
    activity: { incomingAt: null, sentAt: null, error: null, errorAt: null },
    onArrived: () => undefined,
  });
  onTestFinished(() => {
    reader.stop();
    chatDb.close();
    writer.close();
  });
  reader.scan();
  const group = writer.groupChat([PERSON], { identifier: 'chat100', service: 'SMS' });
  const say = (text: string, chat = group) => writer.receive({ from: PERSON, text, chat, date: clock.now() });
  const read = () => store.incoming.open('chat100', 9).map(({ message }) => message.text);
  return { clock, writer, store, chatDb, reader, group, say, read };
}

test('no row of a group is stored before the merge of its two chats is on the disk', () => {
  const { clock, writer, store, reader, group, say, read } = place();
  say('before');
  reader.scan();
  say('after', writer.chats.regroup(group, { identifier: 'chat200' }));
  let isFull = true;
  store.onRekeyed(() =>
    store.beforeCommit(() => {
      if (isFull) throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    }),
  );
  reader.scan();
  expect(read()).toEqual(['before']);
  isFull = false;
  clock.advance(1_000);
  expect(read()).toEqual(['before', 'after']);
});

test('a group that Messages merges between the two queries of a look is one from its first row', () => {
  const { writer, chatDb, reader, group, say, read } = place();
  say('before');
  reader.scan();
  chatDb.beforeRows = () => {
    chatDb.beforeRows = () => undefined;
    say('after', writer.chats.regroup(group, { identifier: 'chat200' }));
  };
  reader.scan();
  // Rows are of the instant of the ties, so that one is of the next look.
  expect(read()).toEqual(['before']);
  reader.scan();
  expect(read()).toEqual(['before', 'after']);
});
