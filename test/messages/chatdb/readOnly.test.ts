import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../../src/store/sqlite.js';
import { MessagesWorld, PERSON } from './messagesWorld.js';

test('reading never interferes with Messages: it writes nothing, and pins nothing of the log between two looks', () => {
  const world = new MessagesWorld({ version: 26 });
  world.writer.directChat(PERSON);
  const reader = world.reader(world.newStore());
  reader.scan();
  const witness = openDatabase(world.path);
  onTestFinished(() => void witness.close());
  for (let round = 0; round < 50; round += 1) {
    world.receive({ from: PERSON, text: `message ${round}` });
    const before = witness.pragma('data_version', { simple: true });
    reader.scan();
    world.chatDb.sentRowsAfter(0, 100);
    world.chatDb.findChat(PERSON);
    world.chatDb.ownAddresses();
    world.chatDb.readEdits((rows) => rows.between(0, world.clock.now()));
    expect(witness.pragma('data_version', { simple: true })).toBe(before);
    expect(witness.pragma('wal_checkpoint(TRUNCATE)')).toEqual([{ busy: 0, log: 0, checkpointed: 0 }]);
  }
  expect(world.received).toHaveLength(50);
});
