import { hash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silent } from '../../src/kit/backend/persona.js';
import { httpsHost } from '../attachments/HttpsHost.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

/** A world in which Messages keeps its files beside its chat.db. */
function open(context: Parameters<typeof EdgeWorld.open>[0], settings: Record<string, unknown> = {}) {
  return EdgeWorld.open(context, { persona: silent, settings }).then((world) => {
    const attachments = join(world.directory, 'Messages', 'Attachments');
    world.writeConfig({ 'imessage.attachments_path': attachments, ...settings });
    return { world, attachments };
  });
}

const staged = (attachments: string) =>
  existsSync(join(attachments, 'edge-agent')) ? readdirSync(join(attachments, 'edge-agent')) : [];

describe('files', { concurrent: true }, () => {
  test('are sent after their text, byte for byte, are confirmed in chat.db, and no copy stays', async (context) => {
    const { world, attachments } = await open(context);
    const daemon = await world.start();
    const bytes = randomBytes(200_000);
    const files = [
      { data_base64: bytes.toString('base64'), filename: 'cat "the" $(cat).png' },
      { data_base64: Buffer.from('note').toString('base64'), filename: 'note.txt' },
    ];
    const id = world.command('look', { attachments: files });
    const next = world.command('next');
    expect(await world.acked(id)).toMatchObject({
      status: 'completed',
      result: {
        ...{ outcome: 'sent', confirmed: true },
        parts: [
          { kind: 'text' },
          { filename: 'cat "the" $(cat).png', outcome: 'sent' },
          { filename: 'note.txt' },
        ],
      },
    });
    await world.acked(next);
    const sent = world.mac.sent();
    expect(sent.map(({ text, file }) => file?.name ?? text)).toEqual([
      'look',
      'cat "the" $(cat).png',
      'note.txt',
      'next',
    ]);
    expect(sent[1]?.file).toMatchObject({ sizeBytes: 200_000, sha256: hash('sha256', bytes, 'hex') });
    await until(
      () => staged(attachments).length === 0,
      () => `${staged(attachments).length} staged files to go`,
    );
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  });

  test('are sent once though the agent is killed while it sends one', async (context) => {
    const { world } = await open(context);
    const daemon = await world.start();
    world.behave({ kind: 'ok', slowMs: 1_500 }, { textIncludes: '', times: 1 });
    const id = world.command('', { attachments: [{ data_base64: 'aGVsbG8=', filename: 'hello.txt' }] });
    await world.calls(1);
    await daemon.kill('SIGKILL');
    await world.start();
    expect(await world.acked(id)).toMatchObject({ status: 'completed', result: { outcome: 'sent' } });
    expect(world.mac.sent().map(({ file }) => file?.name)).toEqual(['hello.txt']);
  });

  test('that may not be fetched fail their command, of which nothing is sent', async (context) => {
    const { world } = await open(context);
    await world.start();
    const id = world.command('look', { attachments: [{ url: 'https://localhost:1/x.png' }] });
    const next = world.command('next');
    expect(await world.acked(id)).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(
        /^attachment_refused: .*payload\.attachments\.0\.url: the host has an address/,
      ),
      result: { outcome: 'not_sent', retry_safe: true },
    });
    await world.acked(next);
    expect(world.texts).toEqual(['next']);
  });

  test('that arrive as images are uploaded to the backend once complete; upload_retry uploads one again', async (context) => {
    const { world, attachments } = await open(context);
    await world.start();
    world.backend.failHttp(503, 1, { path: '/photo/upload' });
    const bytes = randomBytes(5_000);
    const guid = 'at_0_CAFE';
    const incoming = world.mac.chatDb.receive({
      ...{ from: PERSON, text: 'my cat', stages: ['row', 'text', 'chat', 'attachments'] },
      attachments: [{ guid, name: 'IMG_1.jpeg', sizeBytes: bytes.length }],
    });
    const path = join(attachments, '00', '00', guid, 'IMG_1.jpeg');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    incoming.complete();
    await world.backend.until(() => world.backend.photos.length === 1);
    expect(world.backend.photos[0]).toMatchObject({
      ...{ guid, repeat: false, file: { name: 'IMG_1.jpeg', type: 'image/jpeg' } },
      fields: {
        caption: 'my cat',
        user_phone: '+13105550100',
        message_guid: incoming.guid,
        is_group: 'false',
      },
    });
    expect(world.backend.photos[0]?.file.bytes.equals(bytes)).toBe(true);
    expect(world.backend.messages).toHaveLength(1);
    const { commandId } = world.backend.pushCommand({
      command_type: 'upload_retry',
      payload: { attachment_guid: guid },
    });
    expect(await world.acked(commandId)).toMatchObject({ status: 'completed' });
    await world.backend.until(() => world.backend.photos[0]?.repeat === true);
  });
});

test('a file that is fetched by URL is fetched again after a kill, and its request is sent once, in its place', async (context) => {
  let held = 0;
  const host = await httpsHost((_request, response) => {
    held += 1;
    if (held > 1) response.writeHead(200, { 'Content-Type': 'application/pdf' }).end('%PDF');
  });
  const { world } = await open(context, { 'attachments.allow_private_addresses': true });
  const ca = join(world.directory, 'ca.pem');
  writeFileSync(ca, host.ca);
  world.place.env.NODE_EXTRA_CA_CERTS = ca;
  const daemon = await world.start();
  const id = world.command('the menu', { attachments: [{ url: `https://localhost:${host.port}/menu` }] });
  const next = world.command('next');
  await until(
    () => held === 1,
    () => 'the file to be asked for',
  );
  await daemon.kill('SIGKILL');
  expect(world.texts).toEqual([]);
  await world.start();
  expect(await world.acked(id)).toMatchObject({ status: 'completed', result: { outcome: 'sent' } });
  await world.acked(next);
  expect(world.mac.sent().map(({ text, file }) => file?.name ?? text)).toEqual([
    'the menu',
    'menu.pdf',
    'next',
  ]);
});
