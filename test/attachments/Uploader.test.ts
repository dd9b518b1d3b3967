import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { ChatDbFile } from '../../src/attachments/ports.js';
import { Uploader, type UploaderSettings } from '../../src/attachments/Uploader.js';
import type { IncomingMessage, Photo, PhotoResult } from '../../src/model/incoming.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';
import { until } from '../support/until.js';

interface Before {
  clock: FakeClock;
  directory: string;
  store: Store;
}

/** The uploader on a real store and real files; the test decides what chat.db and the backend answer. */
function room(settings: Partial<UploaderSettings> = {}, before?: Before) {
  const clock = before?.clock ?? new FakeClock();
  const directory = before?.directory ?? temporaryDirectory();
  const store = before?.store ?? temporaryStore(clock, directory);
  const attachmentsPath = join(directory, 'Attachments');
  mkdirSync(attachmentsPath, { recursive: true });
  const inChatDb = new Map<string, ChatDbFile>();
  const photos: Photo[] = [];
  const faults: (string | undefined)[] = [];
  const answers: PhotoResult[] = [];
  const chatDb = { readable: true };
  const sips = join(directory, 'sips');
  const uploader = new Uploader({
    store,
    files: {
      find(_message, guid) {
        const file = inChatDb.get(guid);
        if (!chatDb.readable) return { kind: 'unreadable' };
        return file === undefined ? { kind: 'gone' } : { kind: 'found', file };
      },
    },
    backend: {
      async uploadPhoto(photo) {
        photos.push(photo);
        return answers.shift() ?? { kind: 'done' };
      },
      agentId: () => 'edge_13105550100',
    },
    settings: () => ({
      enabled: true,
      maxBytes: 1000,
      attachmentsPath,
      userPhone: '+13105550100',
      ...settings,
    }),
    caption: (text) => text.replace('secret', '[secret]'),
    sips,
    env: process.env,
    home: directory,
    workDirectory: join(directory, 'uploads'),
    clock,
    random: () => 0,
    log: new RecordingLog(),
    onMachine: (fault) => faults.push(fault?.code),
  });
  uploader.start();
  /** Puts a file where Messages puts it, and into chat.db. */
  const has = (guid: string, file: Partial<ChatDbFile> & { content?: string } = {}) => {
    const { content = 'jpeg', ...columns } = file;
    const name = columns.name ?? 'IMG_1.jpeg';
    const path = join(attachmentsPath, 'ab', guid, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    const stored = `~/Library/Messages/Attachments/ab/${guid}/${name}`;
    inChatDb.set(guid, {
      path: stored,
      name,
      mimeType: 'image/jpeg',
      sizeBytes: content.length,
      transferState: 5,
      ...columns,
    });
    return path;
  };
  const receive = (
    guids: string[],
    more: Partial<IncomingMessage> & { mimeType?: string | null; filename?: string } = {},
  ) => {
    const { mimeType = 'image/jpeg', filename = 'IMG_1.jpeg', ...message } = more;
    store.write(() =>
      store.incoming.add({
        ...{ guid: `m-${guids[0]}`, rowId: 1, conversation: '+13105551234', threadId: '+13105551234' },
        ...{
          chatGuid: 'any;-;+13105551234',
          sender: '+13105551234',
          text: 'a secret',
          sentAt: 0,
          isGroup: false,
        },
        ...{ participants: ['+13105551234'], service: 'iMessage', replyToGuid: null },
        attachments: guids.map((guid) => ({ guid, mimeType, filename, sizeBytes: 4 })),
        ...message,
      }),
    );
  };
  const state = (guid: string) => {
    const open = store.uploads.open(100).find(({ attachmentGuid }) => attachmentGuid === guid);
    return open === undefined ? 'over' : `open after ${open.attempts}`;
  };
  const ended = (guid: string, expected: string) =>
    until(
      () => state(guid) === expected,
      () => `${guid} to be ${expected}`,
    );
  /** Moves time on in steps long enough for an attempt each, until the upload is over. */
  const triedUntilOver = async (guid: string, stepMs: number) => {
    while (state(guid) !== 'over') {
      const before = state(guid);
      await clock.advanceAsync(stepMs);
      await until(
        () => state(guid) !== before,
        () => `${guid} to be tried again`,
      );
    }
  };
  const failures = () =>
    store.events.after(0, 100).map(({ eventType, details }) => [eventType, details.error]);
  return {
    clock,
    directory,
    store,
    uploader,
    inChatDb,
    photos,
    answers,
    chatDb,
    sips,
    attachmentsPath,
    has,
    receive,
    state,
    ended,
    triedUntilOver,
    failures,
    faults,
  };
}

test('an image is uploaded with its message, whose text is redacted as configured', async () => {
  const { has, receive, ended, photos, store, directory } = room();
  has('at_0');
  store.write(() => store.contexts.set('+13105551234', { app_id: 'x' }));
  receive(['at_0']);
  await ended('at_0', 'over');
  expect(photos).toEqual([
    {
      ...{ bytes: Buffer.from('jpeg'), name: 'IMG_1.jpeg', type: 'image/jpeg' },
      fields: {
        user_phone: '+13105550100',
        edge_agent_id: 'edge_13105550100',
        attachment_guid: 'at_0',
        message_guid: 'm-at_0',
        chat_guid: 'any;-;+13105551234',
        is_group: 'false',
        caption: 'a [secret]',
        participants: '["+13105551234"]',
        context: '{"app_id":"x"}',
      },
    },
  ]);
  expect(existsSync(join(directory, 'uploads'))).toBe(false);
});

test('an attachment that is no image, or is no longer wanted, is not queued', () => {
  const { receive, store } = room();
  receive(['video'], { mimeType: 'video/quicktime' });
  receive(['unnamed'], { mimeType: null, filename: 'clip.mov' });
  expect(store.uploads.countWaiting()).toBe(0);
  const off = room({ enabled: false });
  off.receive(['at_0']);
  expect(off.store.uploads.countWaiting()).toBe(0);
});

test('an image is recognised by its name where chat.db has no type', async () => {
  const { receive, has, ended, photos } = room();
  has('at_0', { name: 'IMG_2.PNG', mimeType: null });
  receive(['at_0'], { mimeType: null, filename: 'IMG_2.PNG' });
  await ended('at_0', 'over');
  expect(photos).toMatchObject([{ type: 'image/png' }]);
});

test('an image that has not arrived is waited for, and given up after ten minutes', async () => {
  const { clock, receive, has, ended, triedUntilOver, inChatDb, photos, failures } = room();
  inChatDb.set('late', {
    path: null,
    name: 'a.jpeg',
    mimeType: 'image/jpeg',
    sizeBytes: 4,
    transferState: 0,
  });
  inChatDb.set('never', {
    path: '~/Library/Messages/Attachments/no/a.jpeg',
    name: 'a.jpeg',
    mimeType: 'image/jpeg',
    sizeBytes: 4,
    transferState: 0,
  });
  receive(['late', 'never']);
  await ended('late', 'open after 1');
  has('late');
  await clock.advanceAsync(2_000);
  await ended('late', 'over');
  expect(photos).toHaveLength(1);
  await triedUntilOver('never', 30_000);
  expect(clock.monotonic()).toBeGreaterThan(600_000);
  expect(failures()).toEqual([['upload_failed', 'Messages is still fetching it']]);
});

test('an image whose size differs from chat.db is waited for, then uploaded as it is', async () => {
  const { clock, receive, has, ended, triedUntilOver, photos } = room();
  has('at_0', { sizeBytes: 9 });
  receive(['at_0']);
  await ended('at_0', 'open after 1');
  await triedUntilOver('at_0', 15_000);
  expect(clock.monotonic()).toBeGreaterThan(120_000);
  expect(photos).toHaveLength(1);
});

test('a path in chat.db that leaves its directory, or follows a link, is never read', async () => {
  const { directory, attachmentsPath, receive, has, inChatDb, ended, photos, failures } = room();
  writeFileSync(join(directory, 'secret.jpeg'), 'secret');
  symlinkSync(join(directory, 'secret.jpeg'), join(attachmentsPath, 'link.jpeg'));
  has('plain');
  const paths = {
    climbing: '~/Library/Messages/Attachments/../secret.jpeg',
    home: '~/secret.jpeg',
    absolute: join(directory, 'secret.jpeg'),
    linked: '~/Library/Messages/Attachments/link.jpeg',
  };
  for (const [guid, path] of Object.entries(paths)) {
    inChatDb.set(guid, { path, name: 'a.jpeg', mimeType: 'image/jpeg', sizeBytes: 6, transferState: 5 });
  }
  receive(Object.keys(paths));
  for (const guid of Object.keys(paths)) await ended(guid, 'over');
  expect(photos).toEqual([]);
  expect(failures()).toHaveLength(4);
});

test('an image above the limit, or no longer in chat.db, is given up at once', async () => {
  const { store, receive, has, ended, failures } = room({ maxBytes: 3 });
  has('large');
  receive(['large', 'gone']);
  await ended('large', 'over');
  await ended('gone', 'over');
  expect(store.uploads.countGivenUp()).toBe(2);
  expect(failures().toSorted()).toEqual([
    ['upload_failed', 'chat.db no longer has it'],
    ['upload_failed', 'it has 4 bytes; the limit is 3 (attachments.max_bytes)'],
  ]);
});

test('an image that the backend cannot accept now is retried, not before it allows; one that it never accepts is not', async () => {
  const { clock, receive, has, ended, answers, photos, failures } = room();
  has('at_0');
  has('bad');
  answers.push({ kind: 'retry', detail: 'HTTP 503', retryAfterMs: 30_000 });
  receive(['at_0']);
  await ended('at_0', 'open after 1');
  await clock.advanceAsync(29_999);
  expect(photos).toHaveLength(1);
  await clock.advanceAsync(2);
  await ended('at_0', 'over');
  answers.push({ kind: 'rejected', status: 415, detail: 'HTTP 415' });
  receive(['bad'], { guid: 'm2' });
  await ended('bad', 'over');
  expect(failures()).toEqual([['upload_failed', 'the backend refused it (415)']]);
});

test('a file system error of an image is reported by its code, as its name may be private', async () => {
  const { clock, store, receive, inChatDb, ended, failures } = room();
  const name = `4111 1111 1111 1111${'x'.repeat(300)}.jpeg`;
  const path = `~/Library/Messages/Attachments/${name}`;
  inChatDb.set('at_0', { path, name, mimeType: 'image/jpeg', sizeBytes: 4, transferState: 5 });
  receive(['at_0']);
  await ended('at_0', 'open after 1');
  await clock.advanceAsync(25 * 3_600_000);
  await ended('at_0', 'over');
  expect(failures()).toEqual([['upload_failed', 'it cannot be read (ENAMETOOLONG)']]);
  expect(JSON.stringify(store.events.after(0, 100))).not.toContain('4111 1111');
});

test('is given up after failing for a day', async () => {
  const { clock, receive, has, ended, answers, failures } = room();
  has('at_0');
  answers.push(...Array.from({ length: 3 }, () => ({ kind: 'retry', detail: 'HTTP 500' }) as const));
  receive(['at_0']);
  await ended('at_0', 'open after 1');
  await clock.advanceAsync(25 * 3_600_000);
  await ended('at_0', 'over');
  expect(failures()).toEqual([['upload_failed', 'HTTP 500']]);
});

test('a failed image is uploaded when asked for again; an unknown one, or one with uploads off, is not', async () => {
  const { store, uploader, receive, has, ended, answers, photos } = room();
  has('at_0');
  answers.push({ kind: 'rejected', status: 400, detail: 'HTTP 400' });
  receive(['at_0']);
  await ended('at_0', 'over');
  expect(store.uploads.countGivenUp()).toBe(1);
  expect(store.write(() => uploader.again('at_0'))).toBe('queued');
  await ended('at_0', 'over');
  expect(store.uploads.countGivenUp()).toBe(0);
  expect(photos).toHaveLength(2);
  expect(store.write(() => uploader.again('nobody'))).toBe('unknown');
  expect(room({ enabled: false }).uploader.again('at_0')).toBe('off');
});

test('an image that is asked for again during its upload is uploaded once more', async () => {
  const { store, uploader, receive, has, ended, answers, photos } = room();
  has('at_0');
  let again = false;
  answers.shift = () => {
    if (!again) store.write(() => uploader.again('at_0'));
    again = true;
    return { kind: 'done' };
  };
  receive(['at_0']);
  await until(
    () => photos.length === 2,
    () => `two uploads; there were ${photos.length}`,
  );
  await ended('at_0', 'over');
});

test('images queued at a crash are uploaded after the restart, once', async () => {
  const first = room();
  first.chatDb.readable = false;
  first.receive(['at_0']);
  await first.ended('at_0', 'open after 1');
  first.uploader.stop();
  const next = room({}, first);
  next.has('at_0');
  await next.clock.advanceAsync(10_000);
  await next.ended('at_0', 'over');
  expect([first.photos.length, next.photos.length]).toEqual([0, 1]);
});

test('many are uploaded two at a time, and one that waits delays no other', async () => {
  const { receive, has, inChatDb, ended, photos, state } = room();
  inChatDb.set('waiting', {
    path: null,
    name: 'a.jpeg',
    mimeType: 'image/jpeg',
    sizeBytes: 4,
    transferState: 0,
  });
  const guids = Array.from({ length: 12 }, (_, index) => `at_${index}`);
  for (const guid of guids) has(guid);
  receive(['waiting', ...guids]);
  for (const guid of guids) await ended(guid, 'over');
  expect(photos).toHaveLength(12);
  expect(state('waiting')).toBe('open after 1');
});

test('an image whose message is unsent or edited while it is read is not uploaded, or is uploaded with the new text', async () => {
  const { store, has, receive, ended, sips, directory, photos, failures } = room();
  playSips(sips, `touch "${directory}/asked"; while [ ! -e "${directory}/go" ]; do sleep 0.01; done`);
  has('back', { name: 'a.HEIC', mimeType: 'image/heic' });
  has('new', { name: 'b.HEIC', mimeType: 'image/heic' });
  receive(['back'], { guid: 'm1', mimeType: 'image/heic' });
  receive(['new'], { guid: 'm2', mimeType: 'image/heic' });
  await until(
    () => existsSync(join(directory, 'asked')),
    () => 'sips to be asked',
  );
  store.write(() => {
    store.uploads.withdraw('m1');
    store.uploads.rewrite('m2', 'changed');
  });
  writeFileSync(join(directory, 'go'), '');
  await ended('new', 'over');
  await until(
    () => readdirSync(join(directory, 'uploads')).length === 0,
    () => 'both to be converted',
  );
  expect(photos.map(({ fields }) => fields.caption)).toEqual(['changed']);
  expect(failures()).toEqual([]);
});

function playSips(path: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

test('an image that this machine cannot convert is retried for longer than a day, reported, and uploaded once it can be', async () => {
  const { clock, directory, store, sips, has, receive, ended, state, faults, failures } = room();
  playSips(sips, 'printf converted > "$6"');
  symlinkSync(join(directory, 'no', 'such', 'disk'), join(directory, 'uploads'));
  has('at_0', { name: 'IMG_7.HEIC', mimeType: 'image/heic' });
  receive(['at_0'], { mimeType: 'image/heic' });
  await until(
    () => faults.at(-1) === 'state_unwritable',
    () => 'the fault to be said',
  );
  store.write(() => store.uploads.retryNow());
  await clock.advanceAsync(3 * 24 * 3_600_000);
  await until(
    () => state('at_0').startsWith('open after'),
    () => `the image to wait; it is ${state('at_0')}`,
  );
  expect(failures()).toEqual([]);
  rmSync(join(directory, 'uploads'));
  for (let step = 0; state('at_0') !== 'over' && step < 50; step++) {
    await clock.advanceAsync(31_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await ended('at_0', 'over');
  expect(faults.at(-1)).toBeUndefined();
  expect(failures()).toEqual([]);
});

test('HEIC is converted where sips exists, and the converted copy is deleted', async () => {
  const { directory, sips, has, receive, ended, photos } = room();
  playSips(sips, `echo "$@" > "${directory}/asked"; printf 'converted' > "$6"`);
  has('at_0', { name: 'IMG_7.HEIC', mimeType: 'image/heic' });
  receive(['at_0']);
  await ended('at_0', 'over');
  expect(photos).toMatchObject([{ name: 'IMG_7.jpg', type: 'image/jpeg', bytes: Buffer.from('converted') }]);
  expect(readdirSync(join(directory, 'uploads'))).toEqual([]);
});

test.each([
  ['there is none', undefined],
  ['it fails', 'exit 1'],
  ['it writes nothing', 'exit 0'],
  ['it makes more than may be sent', 'head -c 2000 /dev/zero > "$6"'],
])('HEIC is sent as it is where sips: %s', async (_, body) => {
  const { sips, has, receive, ended, photos } = room();
  if (body !== undefined) playSips(sips, body);
  has('at_0', { name: 'IMG_7.HEIC', mimeType: 'image/heic' });
  receive(['at_0']);
  await ended('at_0', 'over');
  expect(photos).toMatchObject([{ name: 'IMG_7.HEIC', type: 'image/heic', bytes: Buffer.from('jpeg') }]);
});

test('an image waits while incoming messages are paused in its conversation, and delays no other', async () => {
  const { store, photos, has, receive, ended } = room();
  const held = ['h1', 'h2', 'h3', 'h4', 'h5'];
  for (const guid of [...held, 'other']) has(guid);
  store.write(() => {
    store.pauses.set('+13105551234', 'manual');
    store.pauses.setIncoming('+13105551234', true);
  });
  receive(held);
  receive(['other'], { conversation: '+13105559999' });
  await ended('other', 'over');
  expect(photos).toHaveLength(1);
  store.write(() => store.pauses.delete('+13105551234'));
  for (const guid of held) await ended(guid, 'over');
  expect(photos).toHaveLength(6);
});
