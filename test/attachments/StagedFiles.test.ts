import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type SentFileFate, StagedFiles, StagingArea } from '../../src/attachments/StagedFiles.js';
import { FakeClock } from '../support/FakeClock.js';
import { queuedText } from '../support/queuedText.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

type End = 'queued' | 'failed' | 'sent' | 'unknown';
const DAY_MS = 86_400_000;

function room() {
  // The directories bear the time of the system.
  const clock = new FakeClock(Date.now());
  const directory = temporaryDirectory();
  const store = temporaryStore(clock, directory);
  const staging = new StagingArea(join(directory, 'edge-agent'));
  const fates = new Map<string, SentFileFate>();
  const staged = new StagedFiles({
    store,
    staging,
    clock,
    log: new RecordingLog(),
    fateOf: (guid) => fates.get(guid),
  });
  const send = (id: string, end: End, guid: string | null = null) => {
    const file = staging.put(id, Buffer.from(id));
    store.write(() => {
      const sent = store.sends.add(queuedText({ id, conversation: 'a', text: '', file }));
      if (end !== 'queued' && sent !== undefined) store.sends.settle(sent.seq, { state: end, guid });
    });
    return file;
  };
  return { clock, store, staging, fates, staged, send };
}

test('a file that was not sent is deleted at once, one that waits to be sent never', () => {
  const { staged, send, clock } = room();
  const failed = send('failed', 'failed');
  const queued = send('queued', 'queued');
  staged.look();
  expect([existsSync(failed), existsSync(queued)]).toEqual([false, true]);
  clock.advance(2 * DAY_MS);
  expect(existsSync(queued)).toBe(true);
  staged.stop();
});

test('a file that was sent is kept until Apple has it', () => {
  const { staged, send, fates, clock, store } = room();
  const file = send('sent', 'sent', 'row');
  fates.set('row', { isOver: false, path: '~/Library/Messages/Attachments/ab/11/at_0/sent' });
  staged.look();
  expect(existsSync(file)).toBe(true);
  fates.set('row', { isOver: true, path: '~/Library/Messages/Attachments/ab/11/at_0/sent' });
  clock.advance(60_000);
  expect(existsSync(file)).toBe(false);
  expect(store.sendParts.staged(0, 10)).toEqual([]);
  staged.stop();
});

test('a file with an unknown outcome is kept for a day', () => {
  const { staged, send, clock } = room();
  const files = [send('unknown', 'unknown'), send('sent', 'sent'), send('unread', 'sent', 'row')];
  staged.look();
  clock.advance(DAY_MS - 60_000);
  expect(files.map((file) => existsSync(file))).toEqual([true, true, true]);
  clock.advance(120_000);
  expect(files.map((file) => existsSync(file))).toEqual([false, false, false]);
  staged.stop();
});

test('a copy that chat.db names as its own is left to Messages, and no sweep deletes it', () => {
  const { staged, send, fates, clock, store } = room();
  const file = send('sent', 'sent', 'row');
  const uuid = file.split('/').at(-2);
  fates.set('row', { isOver: true, path: `~/Library/Messages/Attachments/edge-agent/${uuid}/sent` });
  staged.look();
  clock.advance(3 * DAY_MS);
  expect(store.sendParts.staged(0, 10)).toEqual([]);
  expect(existsSync(file)).toBe(true);
  staged.stop();
});

test('a file that no send and no schedule entry uses is deleted, at the start and every hour', () => {
  const { staged, staging, store, clock } = room();
  const scheduled = staging.put('scheduled', Buffer.from('x'));
  store.write(() =>
    store.schedule.add({
      ...{ scheduleId: 's', commandId: 'c', conversation: 'a', threadId: 'a', text: 'x', priority: 2 },
      ...{ sendAt: clock.now() + 9 * DAY_MS, files: [{ name: 'scheduled', path: scheduled }] },
    }),
  );
  const orphan = staging.put('orphan', Buffer.from('x'));
  clock.jumpWall(700_000);
  staged.start();
  expect([existsSync(scheduled), existsSync(orphan)]).toEqual([true, false]);
  const later = staging.put('later', Buffer.from('x'));
  clock.advance(3_700_000);
  expect([existsSync(scheduled), existsSync(later)]).toEqual([true, false]);
  staged.stop();
});
