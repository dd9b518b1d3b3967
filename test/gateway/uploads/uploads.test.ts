import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findUpload } from '../../../src/gateway/ledger/uploads.js';
import { openUploads } from '../../../src/gateway/uploads/openUploads.js';
import { S3Uploads } from '../../../src/gateway/uploads/S3Uploads.js';
import type { UploadStore } from '../../../src/gateway/uploads/UploadStore.js';
import { systemClock } from '../../../src/system/clock.js';
import { AGENT_ID, freshToken } from '../../kit/backend/PlainAgent.js';
import { FakeClock } from '../../support/FakeClock.js';
import { outboundBy } from '../../support/outbound.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryDirectory.js';
import { GatewayWorld } from '../GatewayWorld.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { uploadPhoto } from '../uploadPhoto.js';
import { S3Server } from './S3Server.js';

/** A store of uploads, its storage, and how that is removed and restored. */
interface Kept {
  readonly place: Parameters<typeof openUploads>[0];
  readonly store: UploadStore;
  readonly bytesOf: (name: string) => Buffer | undefined;
  readonly breakIt: () => unknown;
  readonly mend: () => unknown;
}

const surroundings = { clock: systemClock, outbound: outboundBy(), log: new RecordingLog() };

const STORES: readonly [string, () => Promise<Kept>][] = [
  [
    'files on disk',
    async () => {
      const path = join(temporaryDirectory({ onTestFinished }), 'uploads');
      const bytesOf = (name: string) => {
        const file = join(path, name);
        return existsSync(file) ? readFileSync(file) : undefined;
      };
      const breakIt = () => {
        renameSync(path, `${path}.away`);
        writeFileSync(path, 'not a directory');
      };
      const mend = () => {
        renameSync(path, `${path}.wrong`);
        renameSync(`${path}.away`, path);
      };
      const place = { kind: 'directory', path } as const;
      return { place, store: openUploads(place, surroundings), bytesOf, breakIt, mend };
    },
  ],
  [
    'objects in a bucket',
    async () => {
      const s3 = await S3Server.start({ onTestFinished });
      const { place } = s3;
      const port = Number(new URL(place.endpoint ?? '').port);
      const store = openUploads(place, surroundings);
      const bytesOf = (name: string) => s3.bytesOf(name);
      return { place, store, bytesOf, breakIt: () => s3.close(), mend: () => s3.open(port) };
    },
  ],
];

async function whole(bytes: Readable | undefined): Promise<Buffer | undefined> {
  return bytes === undefined ? undefined : Buffer.concat(await bytes.toArray());
}

describe.each(STORES)('uploads as %s', (_, open) => {
  test('a file is there once it is stored, and a repeat replaces what an earlier attempt left', async () => {
    const { store, bytesOf } = await open();
    await store.prepare();
    const name = await store.keep('edge_1', 'at_0', Buffer.from('half'));
    expect(await store.keep('edge_1', 'at_0', Buffer.from([0, 255, 10, 13]))).toBe(name);
    expect(bytesOf(name)).toEqual(Buffer.from([0, 255, 10, 13]));
    expect(await whole(await store.read(name))).toEqual(Buffer.from([0, 255, 10, 13]));
    expect(name).not.toContain('edge_1');
  });

  test('those of one agent and those of another do not collide, and an empty one does no harm', async () => {
    const { store, bytesOf } = await open();
    await store.prepare();
    const [one, other] = [
      await store.keep('edge_1', 'at_0', Buffer.alloc(0)),
      await store.keep('edge_2', 'at_0', Buffer.from('other')),
    ];
    expect([bytesOf(one)?.length, bytesOf(other)?.toString()]).toEqual([0, 'other']);
  });

  test('one that is deleted is gone, and may be deleted again', async () => {
    const { store, bytesOf } = await open();
    await store.prepare();
    const name = await store.keep('edge_1', 'at_0', Buffer.from('x'));
    for (const _time of [1, 2]) await store.remove(name);
    expect(bytesOf(name)).toBeUndefined();
    expect(await store.read(name)).toBeUndefined();
  });

  test('the storage may disappear: that is reported by a transient code, and it works again afterwards', async () => {
    const { store, bytesOf, breakIt, mend } = await open();
    await store.prepare();
    await breakIt();
    await expect(store.keep('edge_1', 'at_0', Buffer.from('x'))).rejects.toMatchObject({
      name: 'EdgeError',
      code: 'storage_unavailable',
    });
    await mend();
    expect(bytesOf(await store.keep('edge_1', 'at_0', Buffer.from('x')))?.toString()).toBe('x');
  });
});

describe('a bucket', () => {
  const opened = (s3: S3Server, more: Partial<S3Server['place']> = {}) => {
    const log = new RecordingLog();
    return { log, store: new S3Uploads({ ...s3.place, ...more }, { ...surroundings, log }) };
  };

  test('is tried at the start, and left as it was', async () => {
    const s3 = await S3Server.start({ onTestFinished });
    const { store, log } = opened(s3);
    await store.prepare();
    expect(s3.asked.map((line) => line.split(' ')[0])).toEqual(['PUT', 'DELETE']);
    expect([s3.objects.size, log.lines]).toEqual([0, []]);
  });

  test('that refuses does not prevent the gateway from starting; the log says why, without a secret', async () => {
    const s3 = await S3Server.start({ onTestFinished });
    const { store, log } = opened(s3, { secretAccessKey: 'another secret', sessionToken: 'a token' });
    await store.prepare();
    const [line, ...more] = log.lines;
    expect(line).toMatch(/^ERROR .*403 SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY/);
    expect(more).toEqual([]);
    expect(line).not.toMatch(/another secret|a token/);
  });

  test.each([
    ['a missing bucket', { bucket: 'other' }, '404 NoSuchBucket'],
    ['an unreachable server', { endpoint: 'http://127.0.0.1:1' }, 'ECONNREFUSED'],
    ['another region', { region: 'us-east-1' }, '403'],
  ])('%s: nothing is kept', async (_, more, words) => {
    const s3 = await S3Server.start({ onTestFinished });
    await expect(opened(s3, more).store.keep('edge_1', 'at_0', Buffer.from('x'))).rejects.toMatchObject({
      code: 'storage_unavailable',
      message: expect.stringContaining(words),
    });
    expect(s3.objects.size).toBe(0);
  });

  test('that redirects is not followed, and an endless answer is not read to its end', async () => {
    const s3 = await S3Server.start({ onTestFinished });
    const { store } = opened(s3);
    s3.fault = (_request, response) => {
      response.writeHead(307, { Location: 'http://127.0.0.1:1/' }).end('x'.repeat(1024 * 1024));
      return true;
    };
    await expect(store.keep('edge_1', 'at_0', Buffer.from('x'))).rejects.toMatchObject({
      message: expect.stringContaining('HTTP 307'),
    });
  });

  test('that is slow is given up after its time', async () => {
    const s3 = await S3Server.start({ onTestFinished });
    const clock = new FakeClock(Date.now());
    const store = new S3Uploads(s3.place, { ...surroundings, clock });
    s3.fault = (_request, response) => {
      response.writeHead(200).write('<');
      clock.advance(30_000);
      return true;
    };
    await expect(store.keep('edge_1', 'at_0', Buffer.from('x'))).rejects.toMatchObject({
      message: expect.stringContaining('no whole answer within 30 s'),
    });
  });
});

describe.each(gatewayEngines())('a gateway on $name with its uploads in a bucket', (engine) => {
  test('answers an agent once the object and its record are stored, and 503 while they cannot be', async () => {
    const s3 = await S3Server.start({ onTestFinished });
    const world = await GatewayWorld.start(engine, { uploads: s3.place });
    const headers = { Authorization: `Bearer ${freshToken()}`, 'X-Edge-Agent-Id': AGENT_ID };
    const upload = () => uploadPhoto(world, headers);
    s3.fault = (_request, response) => {
      response.writeHead(503).end('<Error><Code>SlowDown</Code></Error>');
      return true;
    };
    const refused = await upload();
    expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true]);
    const found = () => findUpload(world.gateway.database, AGENT_ID, 'at_0');
    expect(await found()).toBeUndefined();

    s3.fault = () => false;
    for (const _ of [1, 2]) expect((await upload()).status).toBe(200);
    expect(s3.bytesOf((await found())?.file ?? '')?.toString()).toBe('the bytes');
    expect(s3.asked.filter((line) => line.startsWith('PUT') && !line.includes('probe'))).toHaveLength(2);
  });
});

describe.each(STORES)('an application, of uploads as %s', (_, open) => {
  test('gets a file by its guid once it arrived, as a download, and of its own agents alone', async () => {
    const { place, store } = await open();
    const [engine] = gatewayEngines();
    if (engine === undefined) throw new Error('unreachable: there is an engine');
    const world = await GatewayWorld.start(engine, { uploads: place });
    const ask = async (guid: string, key: string) =>
      fetch(`${world.url}/v1/attachments/${encodeURIComponent(guid)}?agent=${AGENT_ID}`, {
        headers: { Authorization: `Bearer ${key}` },
      });
    const key = await world.addKey(['messages:read']);
    expect((await ask('at_0/ü', key)).status).toBe(404);
    const headers = { Authorization: `Bearer ${freshToken()}`, 'X-Edge-Agent-Id': AGENT_ID };
    expect((await uploadPhoto(world, headers, 'at_0/ü')).status).toBe(200);
    const got = await ask('at_0/ü', key);
    expect([got.status, await got.text()]).toEqual([200, 'the bytes']);
    expect(Object.fromEntries(got.headers)).toMatchObject({
      'content-type': 'image/jpeg',
      'content-disposition': "attachment; filename*=UTF-8''photo.jpeg",
      'x-content-type-options': 'nosniff',
    });
    // As where two attempts to bring it met, and the file of the later one is kept.
    await store.keep(AGENT_ID, 'at_0/ü', Buffer.from('the bytes, once more'));
    expect(await (await ask('at_0/ü', key)).text()).toBe('the bytes, once more');
    expect((await ask('at_0/ü', await world.addKey(['messages:read'], ['edge_another']))).status).toBe(403);
    expect((await ask('at_0/ü', 'eg_live_forged')).status).toBe(401);
  });
});
