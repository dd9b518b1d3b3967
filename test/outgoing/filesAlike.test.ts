import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const PERSON = '+13105551234';

/** The room of texts, and files of one size that can be sent there. */
function world(clock = new FakeClock(), store = temporaryStore(clock), directory = temporaryDirectory()) {
  const messages = new FakeMessages();
  const outgoing = outgoingOn(store, messages, clock);
  const send = (name: string, id = name, content = 'eggs') => {
    const path = join(directory, id, name);
    mkdirSync(join(directory, id));
    writeFileSync(path, content);
    const request = { id, conversation: PERSON, threadId: PERSON, text: '', files: [{ name, path }] };
    store.write(() => outgoing.enqueue({ ...request, role: 'message', priority: 2, pauseMs: 0 }));
  };
  /** Messages writes the row of a file. */
  const row = (name: string, sizeBytes = 4) => {
    messages.addRow(PERSON, '');
    messages.files.set(messages.rows.length, [{ name, sizeBytes }]);
    Object.assign(messages.rows.at(-1) ?? {}, { sentAt: clock.now() });
  };
  const states = () => ['a.pdf', 'b.pdf'].map((id) => store.sends.findById(id)?.state);
  return { clock, store, messages, outgoing, send, row, states };
}

test('the row of a file is that of the text with its name, not of one before it with a file of the same size', async () => {
  const { clock, messages, outgoing, send, row, states } = world();
  await outgoing.start();
  send('a.pdf');
  await messages.end({ kind: 'unknown', message: 'osascript was stopped at its deadline.' });
  clock.advance(31_000);
  expect(states()).toEqual(['unknown', undefined]);
  send('b.pdf');
  row('b.pdf');
  await messages.end({ kind: 'accepted' });
  clock.advance(31_000);
  expect(states()).toEqual(['unknown', 'sent']);
});

test.each([
  ['its own name proves it', 'a.pdf', 4, 'sent'],
  ['another name and the same size may be another file', 'b.pdf', 4, 'unknown'],
  ['its own name and another size may be another file', 'a.pdf', 5, 'unknown'],
])(
  'of a file that was under way when the store was copied, a row of the gap with %s',
  async (_what, name, sizeBytes, state) => {
    const before = world();
    await before.outgoing.start();
    before.send('a.pdf');
    before.outgoing.stop();
    const { clock, store } = before;
    const { messages, outgoing, row, states } = world(clock, store);
    messages.dispatchedBeforeDeath.add(store.sends.attempting()[0]?.tag ?? '');
    clock.advance(5_000);
    row(name, sizeBytes);
    clock.advance(5_000);
    store.write(() => {
      store.lineage.record(
        { id: 's', file: '1:1', counter: 7 },
        ledgerGap({ generation: 'g', afterRow: 0, untilRow: 1, knownSends: 1, until: clock.now() }),
      );
      store.lineage.noteGapRows(messages.rows);
    });
    await outgoing.start();
    clock.advance(31_000);
    expect(states()).toEqual([state, undefined]);
  },
);

test('of two files of one name the row is that of the one of its size', async () => {
  const { clock, store, messages, outgoing, send, row } = world();
  await outgoing.start();
  send('image.jpg', 'small');
  await messages.end({ kind: 'unknown', message: 'osascript was stopped at its deadline.' });
  clock.advance(31_000);
  send('image.jpg', 'large', 'many eggs');
  row('image.jpg', 9);
  await messages.end({ kind: 'accepted' });
  clock.advance(31_000);
  expect(['small', 'large'].map((id) => store.sends.findById(id)?.state)).toEqual(['unknown', 'sent']);
});

test.each([
  ['its name and another size', 'image.jpg', 'many eggs'],
  ['another name and its size', 'other.jpg', 'eggs'],
])(
  'the row of a file that osascript still sends does not prove one before it with %s',
  async (_what, name, content) => {
    const { clock, store, messages, outgoing, send, row } = world();
    await outgoing.start();
    send('image.jpg', 'before');
    await messages.end({ kind: 'unknown', message: 'osascript was stopped at its deadline.' });
    clock.advance(31_000);
    send(name, 'sending', content);
    row(name, content.length);
    outgoing.chatChanged();
    await messages.end({ kind: 'accepted' });
    clock.advance(31_000);
    const states = ['before', 'sending'].map((id) => store.sends.findById(id)?.state);
    expect(states).toEqual(['unknown', 'sent']);
  },
);
