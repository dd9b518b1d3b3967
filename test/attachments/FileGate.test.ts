import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileGate, type FileGateSettings, type NamedFile } from '../../src/attachments/FileGate.js';
import { StagingArea } from '../../src/attachments/StagedFiles.js';
import { systemClock } from '../../src/system/clock.js';
import { FakeClock } from '../support/FakeClock.js';
import { outboundBy } from '../support/outbound.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { httpsHost } from './HttpsHost.js';

const NEVER = new AbortController().signal;

function room(settings: Partial<FileGateSettings> = {}, more: { ca?: string; clock?: FakeClock } = {}) {
  const directory = realpathSync(temporaryDirectory());
  const staging = new StagingArea(join(directory, 'Attachments', 'edge-agent'));
  const door = new FileGate({
    staging,
    clock: more.clock ?? systemClock,
    log: new RecordingLog(),
    settings: () => ({ maxBytes: 100, allowedRoots: [], allowPrivateAddresses: false, ...settings }),
    outbound: outboundBy({ ca: more.ca }),
    findAddresses: (_host, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
  });
  const admitted = (named: NamedFile) => {
    const admission = door.admit(named);
    if (admission.kind === 'refused') throw new Error(admission.message);
    return admission.file;
  };
  return { directory, staging, door, admitted };
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('a file inside a command', () => {
  test('is staged at once, byte for byte, where only the agent and Messages can read it', () => {
    const { admitted, staging } = room();
    const bytes = Buffer.from([0, 1, 254, 255, 10, 13]);
    const file = admitted({ data_base64: bytes.toString('base64'), filename: '../../Menü: März.pdf' });
    const path = 'path' in file ? file.path : '';
    expect(file.name).toBe('Menü März.pdf');
    expect(dirname(dirname(path))).toBe(staging.root);
    expect(readFileSync(path)).toEqual(bytes);
    expect([mode(staging.root), mode(dirname(path)), mode(path)]).toEqual(['700', '700', '600']);
  });

  test.each([
    ['nothing', '', 'it is empty'],
    ['no base64', 'not base64!', 'it is not base64'],
    ['base64 of an impossible length', 'AAAAA', 'it is not base64'],
    ['a data URL', 'data:image/png;base64,AAAA', 'it is not base64'],
    ['more than the limit', Buffer.alloc(101).toString('base64'), 'it is larger than 100 bytes'],
    ['far more than the limit', 'A'.repeat(1000), 'it is larger than 100 bytes'],
  ])('that is %s is refused, and nothing is staged', (_, data, message) => {
    const { door, staging } = room();
    expect(door.admit({ data_base64: data })).toMatchObject({
      ...{ kind: 'refused', field: 'data_base64', errorCode: 'attachment_refused' },
      message: expect.stringContaining(message),
    });
    expect(existsSync(staging.root)).toBe(false);
  });

  test('is accepted with line breaks in it, up to and including the limit', () => {
    const { admitted } = room();
    const data = Buffer.alloc(100, 7).toString('base64').replaceAll(/.{20}/g, '$&\r\n');
    const file = admitted({ data_base64: data });
    expect('path' in file && readFileSync(file.path)).toEqual(Buffer.alloc(100, 7));
  });

  test('cannot be staged when there is no place for it', () => {
    const { door, directory } = room();
    writeFileSync(join(directory, 'Attachments'), 'a file where the directory should be');
    expect(door.admit({ data_base64: 'AAAA' })).toMatchObject({
      errorCode: 'attachment_unavailable',
      field: 'data_base64',
    });
  });
});

describe('a file by its path', () => {
  test('is read from below the roots that the operator allowed, at the time it is fetched', async () => {
    const { directory } = room();
    const root = join(directory, 'open');
    mkdirSync(root);
    writeFileSync(join(root, 'a b%.txt'), 'content');
    const { door, admitted } = room({ allowedRoots: [root] });
    const file = admitted({ path: join(root, 'a b%.txt') });
    const got = await door.fetch('url' in file ? file.url : '', file.name, NEVER);
    expect(got.kind === 'fetched' && [basename(got.path), readFileSync(got.path, 'utf8')]).toEqual([
      'a b%.txt',
      'content',
    ]);
  });

  test.each([
    ['/etc/passwd', []],
    ['/etc/passwd', ['/opt']],
    ['/opting/x', ['/opt']],
    ['relative', ['/opt']],
  ])('%s is refused with the roots %j', (path, allowedRoots) => {
    const { door } = room({ allowedRoots });
    expect(door.admit({ path })).toMatchObject({
      kind: 'refused',
      field: 'path',
      errorCode: 'attachment_refused',
    });
  });

  test('that leaves its root, or does not exist, is refused when it is read', async () => {
    const { directory } = room();
    const { door, admitted, staging } = room({ allowedRoots: [directory] });
    const climbing = admitted({ path: `${directory}/x/../../../etc/passwd` });
    const missing = admitted({ path: join(directory, 'none') });
    for (const [file, errorCode] of [
      [climbing, 'attachment_refused'],
      [missing, 'attachment_unavailable'],
    ] as const) {
      expect(await door.fetch('url' in file ? file.url : '', file.name, NEVER)).toMatchObject({
        kind: 'failed',
        errorCode,
      });
    }
    expect(existsSync(staging.root)).toBe(false);
  });
});

describe('a file by its URL', () => {
  test('is fetched and staged under its own name, with the extension of its type', async () => {
    const host = await httpsHost((_request, response) =>
      response.writeHead(200, { 'Content-Type': 'image/jpeg' }).end('jpeg'),
    );
    const { door, admitted } = room({ allowPrivateAddresses: true }, { ca: host.ca });
    for (const [url, filename, name] of [
      ['/pictures/cat%20%F0%9F%90%88?size=2', undefined, 'cat 🐈.jpg'],
      ['/', undefined, 'attachment.jpg'],
      ['/x', 'holiday.jpeg', 'holiday.jpeg'],
      ['/x', 'HOLIDAY.JPG', 'HOLIDAY.JPG'],
      ['/picture.php?id=7', undefined, 'picture.php.jpg'],
      ['/photo.1234567', undefined, 'photo.1234567.jpg'],
      ['/menu.pdf', undefined, 'menu.pdf.jpg'],
      ['/x', `${'a'.repeat(300)}.php`, `${'a'.repeat(176)}.jpg`],
      ['/%E0%A4%A', undefined, '%E0%A4%A.jpg'],
    ] as const) {
      const file = admitted({ url: host.url(url), filename });
      const got = await door.fetch('url' in file ? file.url : '', file.name, NEVER);
      expect(got.kind === 'fetched' && [basename(got.path), readFileSync(got.path, 'utf8')]).toEqual([
        name,
        'jpeg',
      ]);
    }
  });

  test.each(['http://example.com/x', 'file:///etc/passwd', 'https://127.0.0.1/x', 'ftp://x/y', 'not a url'])(
    '%s is refused at once',
    (url) => {
      expect(room().door.admit({ url })).toMatchObject({
        kind: 'refused',
        field: 'url',
        errorCode: 'attachment_refused',
      });
    },
  );

  test('is requested three times where a retry may help, and once where it cannot', async () => {
    const clock = new FakeClock();
    const host = await httpsHost(({ url }, response) =>
      response.writeHead(url === '/gone' ? 410 : 503).end(),
    );
    const { door } = room({ allowPrivateAddresses: true }, { ca: host.ca, clock });
    const failing = door.fetch(host.url('/busy'), 'x', NEVER);
    for (let tries = 1; tries <= 3; tries++) {
      while (host.asked.length < tries) {
        await new Promise((resolve) => setImmediate(resolve));
        if (clock.pending > 0 && host.asked.length < tries) await clock.advanceAsync(500);
      }
    }
    expect(await failing).toMatchObject({ kind: 'failed', errorCode: 'attachment_unavailable' });
    expect(await door.fetch(host.url('/gone'), 'x', NEVER)).toMatchObject({
      errorCode: 'attachment_refused',
    });
    expect(host.asked).toHaveLength(4);
  });
});

describe('the staging area', () => {
  test('deletes old files that are not in use, and nothing else', () => {
    const { staging } = room();
    const known = staging.put('known', Buffer.from('1'));
    const orphan = staging.put('orphan', Buffer.from('2'));
    const given = staging.put('given', Buffer.from('3'));
    staging.keep(given);
    writeFileSync(join(staging.root, 'stranger'), 'not ours');
    mkdirSync(join(staging.root, 'not-a-uuid'));
    expect(staging.sweep(new Set([known]), Date.now() - 60_000)).toBe(0);
    expect(staging.sweep(new Set([known]), Date.now() + 1000)).toBe(1);
    expect([known, orphan, given].map((path) => existsSync(path))).toEqual([true, false, true]);
    expect(readdirSync(staging.root)).toEqual(expect.arrayContaining(['stranger', 'not-a-uuid']));
  });

  test('deletes nothing outside itself', () => {
    const { staging, directory } = room();
    mkdirSync(join(directory, 'mine'));
    writeFileSync(join(directory, 'mine', 'x'), 'x');
    staging.remove(join(directory, 'mine', 'x'));
    staging.remove(join(staging.root, '..', 'x'));
    expect(existsSync(join(directory, 'mine', 'x'))).toBe(true);
  });
});
