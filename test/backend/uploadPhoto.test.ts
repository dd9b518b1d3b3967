import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { multipart } from '../../src/backend/HttpClient.js';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import type { PhotoFields } from '../../src/model/agentBodies.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { makeBackend } from '../support/startBackend.js';

const FIELDS: PhotoFields = {
  user_phone: '+13105550100',
  edge_agent_id: 'edge_13105550100',
  attachment_guid: 'at_0_5AB6',
  message_guid: '5AB6',
  chat_guid: 'any;-;+13105551234',
  is_group: 'false',
  caption: 'two\nlines "quoted" 🐈',
  participants: '[]',
  context: '{}',
};

test('a form is read as it was written, whatever its bytes and names', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 500 }),
      fc.string({ unit: 'grapheme', minLength: 1 }),
      async (content, caption) => {
        const bytes = Buffer.from(content);
        const form = multipart({
          bytes,
          name: 'a "b".jpg',
          type: 'image/jpeg',
          fields: { ...FIELDS, caption },
        });
        const read = await new Response(form.bytes, { headers: { 'Content-Type': form.type } }).formData();
        const file = read.get('file') as File;
        expect(Buffer.from(await file.arrayBuffer())).toEqual(bytes);
        expect([file.name, file.type]).toEqual(['a "b".jpg', 'image/jpeg']);
        expect(read.get('caption')).toBe(caption);
      },
    ),
    { numRuns: 50 },
  );
});

test.each(['image/jpeg\r\nX-Evil: 1', 'image/jpeg; a="b"', 'image', ''])(
  'an invalid type (%j) adds nothing to the form',
  (type) => {
    const { bytes } = multipart({ bytes: Buffer.from('x'), name: 'a.jpg', type, fields: FIELDS });
    expect(bytes.toString()).toContain('Content-Type: application/octet-stream\r\n\r\nx');
    expect(bytes.toString()).not.toContain('Evil');
  },
);

/** Our side, and the reference backend. */
async function line() {
  const backend = await SimulatedBackend.start({ port: 0, secret: 'open sesame', persona: silent });
  onTestFinished(() => backend.stop());
  const fake = await FakeBackend.start();
  onTestFinished(() => fake.stop());
  const running = makeBackend(fake, { settings: { httpBase: backend.url } });
  onTestFinished(() => running.stop());
  return { backend, agent: running.backend };
}

test('an image arrives at the reference backend byte for byte, with its fields', async () => {
  const { backend, agent } = await line();
  const bytes = randomBytes(2_000_000);
  const photo = { bytes, name: 'IMG 1.jpeg', type: 'image/jpeg', fields: FIELDS };
  expect(await agent.uploadPhoto(photo)).toEqual({ kind: 'done' });
  const file = { name: 'IMG 1.jpeg', type: 'image/jpeg' };
  expect(backend.photos).toMatchObject([{ guid: 'at_0_5AB6', repeat: false, fields: FIELDS, file }]);
  expect(backend.photos[0]?.file.bytes.equals(bytes)).toBe(true);
});

test.each([
  [409, { kind: 'done' }],
  [400, { kind: 'rejected', status: 400 }],
  [413, { kind: 'rejected', status: 413 }],
  [415, { kind: 'rejected', status: 415 }],
  [422, { kind: 'rejected', status: 422 }],
  [404, { kind: 'retry' }],
  [500, { kind: 'retry' }],
  [401, { kind: 'retry' }],
])('an answer of %d is %j, and says nothing about the backend as a whole', async (status, result) => {
  const { backend, agent } = await line();
  backend.failHttp(status, 3, { path: '/photo/upload' });
  const photo = { bytes: Buffer.from('x'), name: 'a.jpeg', type: 'image/jpeg', fields: FIELDS };
  for (let tries = 0; tries < 3; tries++) expect(await agent.uploadPhoto(photo)).toMatchObject(result);
  expect(agent.reachable()).toBe(true);
});
