import { renameSync, rmSync, truncateSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ChatDbWriter } from '../../src/kit/messages/ChatDbWriter.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { type Cleanup, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const ANSWERED = ['one sec', 'you said: before'];

/** A daemon that has answered one message; Messages has closed chat.db since. */
async function answered(context: Cleanup) {
  const world = await EdgeWorld.open(context);
  const path = world.mac.chatDbPath;
  // Else the agent finds 4 kB, with all the rest in the -wal, and a file cut to more than that became no smaller.
  checkpoint(path);
  const daemon = await world.start();
  world.mac.chatDb.receive({ from: PERSON, text: 'before' });
  await world.sent(2);
  await world.inChatDb(2);
  await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 0);
  checkpoint(path);
  world.mac.chatDb.close();
  return { world, daemon, path };
}

/** All that is in the -wal is moved to chat.db itself. */
function checkpoint(path: string): void {
  const database = openDatabase(path);
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}

/** Messages opens chat.db, as soon as it can. */
async function messagesOpens(path: string, { onTestFinished }: Cleanup): Promise<ChatDbWriter> {
  const opened: ChatDbWriter[] = [];
  await until(
    () => {
      try {
        opened.push(new ChatDbWriter(path, { version: 15 }));
      } catch {
        // The files of the old database are still held by a reader.
      }
      return opened.length > 0;
    },
    () => 'Messages to open chat.db',
  );
  const [writer] = opened;
  if (writer === undefined) throw new Error('unreachable: it was opened');
  onTestFinished(() => writer.close());
  return writer;
}

describe('while the agent reads chat.db', { concurrent: true }, () => {
  test.for([[['-wal']], [['-shm']], [['-wal', '-shm']]])(
    'its %j are deleted: it is reopened, and the next message is read',
    async ([suffixes = []], context) => {
      const { world, daemon, path } = await answered(context);
      for (const suffix of suffixes) rmSync(path + suffix, { force: true });
      const writer = await messagesOpens(path, context);
      writer.receive({ from: PERSON, text: 'after' });
      await world.sent(4);
      await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
      expect(world.texts).toEqual([...ANSWERED, 'one sec', 'you said: after']);
      expect(world.backend.messages).toHaveLength(2);
    },
  );

  test.for([0, 100, 8_192])(
    'it is truncated to %i bytes: that is reported, and a restored copy is read',
    async (bytes, context) => {
      const { world, daemon, path } = await answered(context);
      const copy = openDatabase(path, { readonly: true });
      copy.prepare('VACUUM INTO ?').run(`${path}.copy`);
      copy.close();
      truncateSync(path, bytes);
      await daemon.statusUntil(({ snapshot }) => snapshot?.problems[0]?.code === 'chatdb_unreadable');
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
      renameSync(`${path}.copy`, path);
      const writer = await messagesOpens(path, context);
      writer.receive({ from: PERSON, text: 'after' });
      await world.sent(4);
      await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
      expect(world.texts).toEqual([...ANSWERED, 'one sec', 'you said: after']);
      expect(world.backend.messages).toHaveLength(2);
    },
  );
});
