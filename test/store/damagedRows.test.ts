import { expect, test } from 'vitest';
import type { AckBody } from '../../src/model/agentBodies.js';
import type { EventType } from '../../src/model/events.js';
import type { Store } from '../../src/store/Store.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const ack = (id: string): AckBody => ({
  ...{ command_id: id, status: 'completed', success: true, error: null, revision: 1 },
  ...{ completed_at: '2026-01-01T00:00:00.000Z', timestamp: '2026-01-01T00:00:00.000Z' },
});

/** Two of everything that is kept as JSON, named "bad" and "good". */
function fill(store: Store): void {
  for (const name of ['bad', 'good']) {
    const message = {
      guid: name,
      chatGuid: 'a',
      conversation: 'a',
      isGroup: false,
      text: 'hi',
      participants: [],
    };
    store.incoming.add({
      ...{ ...message, rowId: 1, threadId: 'a', sender: 'a', sentAt: 0, service: 'iMessage' },
      ...{ replyToGuid: null, attachments: [] },
    });
    store.uploads.add(name, message);
    store.commands.add({
      commandId: name,
      commandType: 't',
      body: '{"timestamp":7}',
      bodyHash: 'h',
      via: 'http',
    });
    store.commands.finish(ack(name));
    store.acks.add(ack(name));
    store.events.add({ eventType: name as EventType, details: {} });
    store.contexts.set(name, { state: 1 });
    store.schedule.add({
      ...{ scheduleId: name, commandId: name, conversation: 'a', threadId: 'a', text: 'later', priority: 1 },
      ...{ sendAt: 1, files: [{ name: 'x', path: `/staged/${name}` }] },
    });
  }
  store.meta.set('bad', '{"a":1}');
  store.meta.set('good', '{"a":1}');
  store.cursor.setReading({
    ...{ since: 1, seeded: true, caughtUp: true, movedAt: null, lookUntil: null, beganIn: null },
    samples: [{ rowId: 1, guid: 'x' }],
  });
}

const UNKNOWN = expect.objectContaining({
  status: 'failed',
  error: expect.stringContaining('outcome_unknown'),
});

/** What is read where the row "bad" is damaged. */
const READS: readonly [string, string, (store: Store) => unknown, unknown][] = [
  [
    'incoming',
    'message WHERE guid',
    (s) => [s.incoming.find('bad'), s.incoming.find('good')?.text],
    [undefined, 'hi'],
  ],
  [
    'incoming',
    'message WHERE guid',
    (s) => s.recentTexts.received(9).map(({ message }) => message.guid),
    ['good'],
  ],
  [
    'uploads',
    'message WHERE attachment_guid',
    (s) => s.uploads.open(9).map(({ attachmentGuid }) => attachmentGuid),
    ['good'],
  ],
  [
    'acks',
    'body WHERE command_id',
    (s) => s.acks.after(0, 9).map(({ body }) => body),
    [ack('bad'), ack('good')],
  ],
  [
    'commands',
    'ack WHERE command_id',
    (s) => [s.commands.find('bad')?.ack, s.commands.find('good')?.ack],
    [UNKNOWN, ack('good')],
  ],
  [
    'commands',
    'ack WHERE command_id',
    (s) => s.commandLog.list(9, false).map((c) => c.ack),
    [ack('good'), UNKNOWN],
  ],
  [
    'commands',
    'body WHERE command_id',
    (s) => [s.commands.madeAt('bad'), s.commands.madeAt('good')],
    [null, 7],
  ],
  ['events', 'details WHERE event_type', (s) => s.events.after(0, 9).map((e) => e.eventType), ['good']],
  [
    'contexts',
    'body WHERE conversation',
    (s) => [s.contexts.get('bad'), s.contexts.get('good')],
    [undefined, { state: 1 }],
  ],
  [
    'schedule',
    'files WHERE schedule_id',
    (s) => s.schedule.due(2, 9).map((t) => t.isDamaged ?? t.files?.length),
    [true, 1],
  ],
  ['schedule', 'files WHERE schedule_id', (s) => s.schedule.stagedFiles(), ['/staged/good']],
  ['meta', 'value WHERE key', (s) => [s.meta.object('bad'), s.meta.object('good')], [undefined, { a: 1 }]],
];

const DAMAGE: readonly [string, string][] = [
  ['cut short', '{"command_id":"ba'],
  ['empty', ''],
  ['null', 'null'],
  ['bytes', '\u0000\u0001'],
];

test.each(
  READS.flatMap(([table, column, read, expected]) =>
    DAMAGE.map(([kind, value]) => ({ table, column, kind, value, read, expected })),
  ),
)(
  'a value of $table ($column) that the disk returns $kind costs its row, and the status reports it',
  ({ table, column, value, read, expected }) => {
    const directory = temporaryDirectory();
    const store = temporaryStore(new FakeClock(), directory);
    store.write(() => fill(store));
    const [name = '', key = ''] = column.split(' WHERE ');
    const database = openDatabase(`${directory}/edge-agent.db`);
    expect(database.prepare(`UPDATE ${table} SET ${name} = ? WHERE ${key} = 'bad'`).run(value).changes).toBe(
      1,
    );
    database.close();
    // A body that was forgotten is empty.
    const isForgotten = column === 'body WHERE command_id' && table === 'commands' && value === '';
    expect(read(store)).toEqual(expected);
    expect(store.setAside.recent(9).map(({ kind }) => kind)).toEqual(isForgotten ? [] : ['stored row']);
  },
);

test('an ack that is damaged in both the outbox and its command reports an unknown outcome', () => {
  const directory = temporaryDirectory();
  const store = temporaryStore(new FakeClock(), directory);
  store.write(() => fill(store));
  const database = openDatabase(`${directory}/edge-agent.db`);
  database.exec(
    "UPDATE acks SET body = '{' WHERE command_id = 'bad'; UPDATE commands SET ack = '{' WHERE command_id = 'bad'",
  );
  database.close();
  expect(store.acks.after(0, 9).map(({ body }) => body)).toEqual([UNKNOWN, ack('good')]);
});

test('messages of a conversation that moves keep their order where one of them is damaged', () => {
  const directory = temporaryDirectory();
  const store = temporaryStore(new FakeClock(), directory);
  store.write(() => fill(store));
  const database = openDatabase(`${directory}/edge-agent.db`);
  database.prepare("UPDATE incoming SET message = '{' WHERE guid = 'bad'").run();
  database.prepare("UPDATE uploads SET message = '{' WHERE attachment_guid = 'bad'").run();
  database.close();
  store.write(() => store.conversationKeys.move('a', 'b', () => 'twin'));
  store.write(() => store.uploads.rewrite('bad', 'changed'));
  expect(store.write(() => store.incoming.open('b', 9)).map(({ message }) => message.conversation)).toEqual([
    'b',
  ]);
  expect(store.deadLetters.list(9)).toMatchObject([{ guid: 'bad' }]);
  expect(store.uploads.open(9).map(({ message }) => message.conversation)).toEqual(['b']);
  expect(store.setAside.recent(9).length).toBeGreaterThan(0);
});

test('damaged samples of chat.db read as none', () => {
  const directory = temporaryDirectory();
  const first = temporaryStore(new FakeClock(), directory);
  first.write(() => fill(first));
  first.close();
  const database = openDatabase(`${directory}/edge-agent.db`);
  database.prepare("UPDATE chatdb_reading SET samples = '[{'").run();
  database.close();
  const store = temporaryStore(new FakeClock(), directory);
  expect(store.cursor.reading()).toMatchObject({ since: 1, samples: [] });
});

test('a gap in the ledger that cannot be read counts as any time up to now', () => {
  const directory = temporaryDirectory();
  const clock = new FakeClock();
  const first = temporaryStore(clock, directory);
  first.write(() => first.meta.set('ledger_gap', '{"reason"'));
  first.close();
  const store = temporaryStore(clock, directory);
  expect(store.lineage.gap()).toMatchObject({ from: null, afterRow: null, until: clock.now() });
});
