import { expect, test } from 'vitest';
import type { ChatEvent } from '../../src/incoming/ChatEvents.js';
import { MessageUpdates } from '../../src/incoming/MessageUpdates.js';
import { FakeClock } from '../support/FakeClock.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';

/** A message with two images of which the backend has none; what is reported does not matter here. */
function room(posted: boolean, report: (event: ChatEvent) => void = () => undefined) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const changes = new MessageUpdates({
    store,
    happenings: { report },
    settings: () => ({ edits: true, unsends: true, transcriptions: true }),
    onFiles: () => undefined,
    onReversed: () => undefined,
    clock,
  });
  const message = {
    ...{ guid: 'm', rowId: 1, conversation: ANN, threadId: ANN, chatGuid: `any;-;${ANN}`, sender: ANN },
    ...{ text: 'look', sentAt: clock.now(), isGroup: false, participants: [ANN], service: 'iMessage' },
    ...{ replyToGuid: null, attachments: [] },
  };
  store.write(() => {
    store.incoming.add(message);
    for (const guid of ['m', 'other']) {
      for (const part of [0, 1]) store.uploads.add(`${guid}-${part}`, { ...message, guid });
    }
    const [seq] = store.incoming.open(ANN, 1).map((record) => record.seq);
    if (posted && seq !== undefined) store.incoming.postStarted(seq, 0);
  });
  const waiting = () =>
    store.uploads.open(10).map(({ attachmentGuid, message: { text } }) => `${attachmentGuid}: ${text}`);
  return { store, changes, waiting };
}

test.each([false, true])('the images of an unsent message are not uploaded, posted or not (%s)', (posted) => {
  const { store, changes, waiting } = room(posted);
  const [failed] = store.uploads.open(1);
  store.write(() => failed && store.uploads.settle(failed, 'failed', 'HTTP 500'));
  changes.note([{ kind: 'unsent', guid: 'm', rowId: 1, sentAt: 1, at: 1 }]);
  expect(waiting()).toEqual(['other-0: look', 'other-1: look']);
  expect(store.write(() => store.uploads.reopen('m-0'))).toBe(false);
});

test.each([false, true])(
  'the images of an edited message are uploaded with its new text, posted or not (%s)',
  (posted) => {
    const { changes, waiting } = room(posted);
    changes.note([{ kind: 'edited', guid: 'm', text: 'do “not” look', at: 1 }]);
    expect(waiting()).toEqual(['m-0: do “not” look', 'm-1: do “not” look', 'other-0: look', 'other-1: look']);
  },
);

const FILE = { guid: 'f', mimeType: 'audio/x-caf', filename: 'said.caf', sizeBytes: 9 };

test.each(['expired', 'parked'] as const)(
  'nothing is reported about a message that the backend never got, though it is %s by now',
  (state) => {
    const told: ChatEvent[] = [];
    const { changes, store } = room(false, (event) => void told.push(event));
    store.write(() => store.incoming.settle(1, state, 'past its age'));
    changes.note([{ kind: 'edited', guid: 'm', text: 'look here', at: 1 }]);
    changes.note([{ kind: 'files', guid: 'm', files: [FILE] }]);
    changes.note([{ kind: 'unsent', guid: 'm', rowId: 1, sentAt: 1, at: 2 }]);
    expect(told).toEqual([]);
  },
);

test('a change of a message that the backend got is reported, though it is expired by now', () => {
  const told: ChatEvent[] = [];
  const { changes, store } = room(true, (event) => void told.push(event));
  store.write(() => store.incoming.settle(1, 'expired', 'past its age'));
  changes.note([{ kind: 'edited', guid: 'm', text: 'look here', at: 1 }]);
  changes.note([{ kind: 'unsent', guid: 'm', rowId: 1, sentAt: 1, at: 2 }]);
  expect(told.map(({ eventType }) => eventType)).toEqual(['message_edited', 'message_unsent']);
});

const GAP = ledgerGap({ until: 1_000, activeUntil: 1_000, foundAt: 0 });

test.each([
  ['that the store forgot', 'forgotten', 900, ['message_unsent']],
  ['that came after the restore and was never read', 'strange', 1_100, []],
])('after a restore a message %s and that is unsent is reported, once', (_, guid, sentAt, expected) => {
  const { changes, store } = room(false);
  store.write(() => store.lineage.record({ id: 's', file: 'f', counter: 1 }, GAP));
  for (let look = 0; look < 2; look++) changes.note([{ kind: 'unsent', guid, rowId: 7, sentAt, at: 950 }]);
  expect(store.events.after(0, 10).map(({ eventType }) => eventType)).toEqual(expected);
});

test('after a restore a message that the store did not know to be posted is reported when it is unsent', () => {
  const told: ChatEvent[] = [];
  const { changes, store } = room(false, (event) => void told.push(event));
  const until = Date.UTC(2100, 0);
  store.write(() => store.lineage.record({ id: 's', file: 'f', counter: 1 }, { ...GAP, until }));
  changes.note([{ kind: 'unsent', guid: 'm', rowId: 1, sentAt: 1, at: 2 }]);
  expect(told.map(({ eventType }) => eventType)).toEqual(['message_unsent']);
});

test('the transcription of a file that joins late is kept with it, and reported after it', () => {
  const told: ChatEvent[] = [];
  const { changes, store } = room(true, (event) => void told.push(event));
  const said = { kind: 'transcribed', guid: 'm', said: new Map([['f', 'hello']]) } as const;
  changes.note([said]);
  expect(told).toEqual([]);
  changes.note([
    { kind: 'files', guid: 'm', files: [FILE] },
    said,
    { kind: 'edited', guid: 'm', text: 'heard', at: 1 },
  ]);
  const types = ['message_attachments', 'message_transcribed', 'message_edited'];
  expect(told.map(({ eventType }) => eventType)).toEqual(types);
  const attachments = [{ ...FILE, transcription: 'hello' }];
  expect(store.incoming.find('m')).toMatchObject({ text: 'heard', attachments });
});

test.each([
  [true, ['message_attachments']],
  [false, []],
] as const)('files that join a message are reported once if it was posted (%s)', (posted, types) => {
  const told: ChatEvent[] = [];
  const { changes, store } = room(posted, (event) => void told.push(event));
  const file = { guid: 'f', mimeType: 'application/pdf', filename: 'menu.pdf', sizeBytes: 9 };
  for (let look = 0; look < 2; look++) changes.note([{ kind: 'files', guid: 'm', files: [file] }]);
  expect(told.map(({ eventType }) => eventType)).toEqual(types);
  expect(store.incoming.find('m')?.attachments).toEqual([file]);
});

test('a change whose report throws is set aside, those beside it are reported, and it is not retried', () => {
  const told: ChatEvent[] = [];
  const { changes, store } = room(true, (event) => {
    if (JSON.stringify(event).includes('odd')) throw new TypeError('no words for this');
    told.push(event);
  });
  const both = [
    { kind: 'edited', guid: 'm', text: 'odd', at: 1 },
    { kind: 'edited', guid: 'm', text: 'fine', at: 2 },
  ] as const;
  expect(changes.note(both)).toBe(true);
  expect(told).toHaveLength(1);
  expect(JSON.stringify(told)).toContain('fine');
  expect(store.setAside.recent(9)).toMatchObject([{ kind: 'change', key: 'edited:m' }]);
  expect(changes.note(both)).toBe(true);
  expect(told).toHaveLength(1);
});

test('beside a change whose report throws, what a restored store forgot is reported when it is unsent', () => {
  const { changes, store } = room(true, () => {
    throw new TypeError('no words for this');
  });
  store.write(() => store.lineage.record({ id: 's', file: 'f', counter: 1 }, GAP));
  const taken = changes.note([
    { kind: 'unsent', guid: 'forgotten', rowId: 7, sentAt: 900, at: 950 },
    { kind: 'edited', guid: 'm', text: 'odd', at: 1 },
  ]);
  expect(taken).toBe(true);
  expect(store.events.after(0, 10).map(({ eventType }) => eventType)).toEqual(['message_unsent']);
  expect(store.setAside.recent(9)).toMatchObject([{ kind: 'change', key: 'edited:m' }]);
});
