import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silent } from '../../src/kit/backend/persona.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

describe('messages of several parts reach the backend', { concurrent: true }, () => {
  test('with a line break at each seam and their parts in order', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const { chatDb } = world.mac;
    await world.start();
    const photo = chatDb.receive({
      from: PERSON,
      attachments: [{}, {}],
      parts: ['\ufffc', '1', '\ufffc', '2'],
    });
    chatDb.receive({ from: PERSON, parts: ['see you at 8', 'bring the keys'], textIn: 'attributedBody' });
    await world.backend.until(() => world.backend.messages.length === 2);
    const bodies = new Map(world.backend.messages.map(({ body }) => [body.filtered_text, body]));
    const [first, second] = photo.attachments.map(({ guid }) => ({ type: 'attachment', guid }));
    expect(bodies.get('1\n2')).toMatchObject({
      text: '1\n2',
      parts: [first, { type: 'text', text: '1' }, second, { type: 'text', text: '2' }],
    });
    expect(bodies.get('see you at 8\nbring the keys')?.parts).toEqual([
      { type: 'text', text: 'see you at 8' },
      { type: 'text', text: 'bring the keys' },
    ]);
  });

  test('with privacy.redact nothing private leaves across a seam: in the post, a caption, an edit, or an answer of the operator', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent });
    const attachments = join(world.directory, 'Messages', 'Attachments');
    world.writeConfig({ 'imessage.attachments_path': attachments, 'privacy.redact': ['phone', 'ssn'] });
    const { chatDb } = world.mac;
    await world.start();
    const guid = 'at_0_SEAM';
    const path = join(attachments, '00', '00', guid, 'IMG_1.jpeg');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'picture');
    const message = chatDb.receive({
      from: PERSON,
      attachments: [{ guid, name: 'IMG_1.jpeg', sizeBytes: 7 }],
      parts: ['call 212-555-7788', 'now', '\ufffc', 'or 310-555', '4321'],
    });
    await world.backend.until(() => world.backend.photos.length === 1);
    await world.backend.until(() => world.backend.messages.length === 1);
    const redacted = 'call [phone]\nnow\nor [phone]\n[phone]';
    expect(world.backend.messages[0]?.body).toMatchObject({
      filtered_text: redacted,
      parts: [
        { text: 'call [phone]' },
        { text: 'now' },
        { type: 'attachment', guid },
        { text: 'or [phone]' },
        { text: '[phone]' },
      ],
      was_redacted: true,
      redacted_fields: ['phone'],
    });
    expect(world.backend.photos[0]?.fields.caption).toBe(redacted);

    chatDb.happenings.edit(message, ['my number: 123-45', '6789', '212-555-7788', 'ok']);
    chatDb.writeSent({ handle: PERSON, text: ['I am at 212-555-7788', 'or 310-555', '4321 bye'] });
    const details = (type: string) =>
      world.backend.journal.events.find(({ body }) => body.event_type === type)?.body.details;
    await world.backend.until(() => details('message_edited') !== undefined);
    expect(details('message_edited')).toMatchObject({ text: 'my number: [ssn]\n[ssn]\n[phone]\nok' });
    await world.backend.until(() => details('operator_replied') !== undefined);
    expect(details('operator_replied')).toMatchObject({ text: 'I am at [phone]\nor [phone]\n[phone] bye' });
    const everything = JSON.stringify([world.backend.messages, world.backend.journal.events]);
    expect(everything).not.toMatch(/555-7788|310-555|4321|123-45|6789/);
  });
});
