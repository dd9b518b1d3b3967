import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { messageBody } from '../../src/incoming/messageBody.js';
import { filteredTogether, privacyFilter } from '../../src/incoming/privacy.js';
import { PRIVATE_KINDS } from '../../src/incoming/privacyDetectors.js';
import type { IncomingAttachment, IncomingMessage, MessagePart } from '../../src/model/incoming.js';
import { textOf } from '../../src/store/incomingRecord.js';
import { passesLuhn } from '../support/luhn.js';
import { sized } from '../support/size.js';

const filter = privacyFilter(PRIVATE_KINDS, 'US');

function attachment(guid: string, more: Partial<IncomingAttachment> = {}): IncomingAttachment {
  return { guid, mimeType: 'image/png', filename: null, sizeBytes: 1, ...more };
}

/** A message of these parts; `#guid` is an attachment. Its other fields hold no digits. */
function message(parts: readonly string[], attachments: IncomingAttachment[] = []): IncomingMessage {
  const all = parts.map(
    (part): MessagePart =>
      part.startsWith('#') ? { type: 'attachment', guid: part.slice(1) } : { type: 'text', text: part },
  );
  return {
    guid: 'GUID',
    rowId: 7,
    conversation: 'me@x',
    threadId: 'me@x',
    chatGuid: 'any',
    sender: 'me@x',
    text: textOf(all),
    parts: all,
    sentAt: Date.UTC(2026, 10, 20),
    isGroup: false,
    participants: [],
    service: 'iMessage',
    replyToGuid: null,
    attachments,
  };
}

const posted = (parts: readonly string[], attachments?: IncomingAttachment[]) =>
  messageBody(message(parts, attachments), undefined, filter);
const textsOf = (body: Record<string, unknown>) =>
  (body.parts as { text?: string }[]).flatMap(({ text }) => text ?? []);

describe('what crosses a seam, or is at one, is removed from every form of the text', () => {
  test.each<[string, string[], string[], string[]]>([
    ['a number, then a word', ['310-555-1234', 'word'], ['[phone]', 'word'], ['phone']],
    ['a word, then a number', ['word', '310-555-1234'], ['word', '[phone]'], ['phone']],
    ['a number before a digit', ['call 310-555-1234', '5 pm'], ['call [phone]', '5 pm'], ['phone']],
    [
      'a phone number over two parts',
      ['call 310-555', '1234 now'],
      ['call [phone]', '[phone] now'],
      ['phone'],
    ],
    [
      'a phone number over three parts',
      ['+1 310', '555', '1234'],
      ['[phone]', '[phone]', '[phone]'],
      ['phone'],
    ],
    [
      'a card over two parts',
      ['4111 1111 11', '11 1111 ok'],
      ['[credit_card]', '[credit_card] ok'],
      ['credit_card'],
    ],
    [
      'a card whose groups are parts',
      ['4111', '1111', '1111', '1111'],
      Array(4).fill('[credit_card]'),
      ['credit_card'],
    ],
    ['a social security number', ['it is 123-45', '6789'], ['it is [ssn]', '[ssn]'], ['ssn']],
    ['one that another part names', ['my ssn', '123456789'], ['my ssn', '[ssn]'], ['ssn']],
    [
      'an address between words',
      ['mail', 'jane@x.example', 'Thanks'],
      ['mail', '[email]', 'Thanks'],
      ['email'],
    ],
    ['an address over two parts', ['jane', '@x.example'], ['[email]', '[email]'], ['email']],
    [
      'digits of which only one part is private',
      ['12', '4111111111111111', '7'],
      ['12', '[credit_card]', '7'],
      ['credit_card'],
    ],
  ])('%s', (_name, parts, expected, fields) => {
    const body = posted(parts);
    expect(textsOf(body)).toEqual(expected);
    expect(body).toMatchObject({
      filtered_text: expected.join('\n'),
      was_redacted: true,
      redacted_fields: fields,
    });
    expect(body).not.toHaveProperty('text');
  });

  test('also with a file between, and the parts keep their order', () => {
    const body = posted(['310-555', '#f', '1234'], [attachment('f')]);
    expect(body.parts).toEqual([
      { type: 'text', text: '[phone]' },
      { type: 'attachment', guid: 'f' },
      { type: 'text', text: '[phone]' },
    ]);
    expect(body.filtered_text).toBe('[phone]\n[phone]');
  });

  test('also in the name of a file and in a transcription, whose kind is unknown', () => {
    const files = [
      attachment('f', { filename: 'x123456789y.png' }),
      attachment('g', { transcription: 'as said 123456789' }),
    ];
    const body = posted(['my ssn is 123456789', '#f', '#g'], files);
    expect(JSON.stringify(body)).not.toContain('123456789');
    expect(body.attachments).toMatchObject([
      { filename: 'x[ssn]y.png' },
      { filename: null, transcription: 'as said [ssn]' },
    ]);
  });

  test('the transcriptions of two audio files in one message have a seam too', () => {
    const files = [
      attachment('f', { transcription: 'it is 310-555' }),
      attachment('g', { transcription: '1234' }),
    ];
    const body = posted(['#f', '#g'], files);
    expect(body.filtered_text).toBe('it is [phone]\n[phone]');
    expect(body.attachments).toMatchObject([
      { transcription: 'it is [phone]' },
      { transcription: '[phone]' },
    ]);
  });

  test.each([
    ['lines of one text are no seams', ['310-555\n1234']],
    ['small numbers', ['1', '2', '3']],
    ['times and dates', ['see you at 8', '30 people', '12/31']],
    ['words', ['see you at 8', 'bring the keys']],
  ])('ordinary parts are unchanged: %s', (_name, parts) => {
    expect(posted(parts)).toMatchObject({
      filtered_text: parts.join('\n'),
      was_redacted: false,
      redacted_fields: [],
    });
  });

  test('a text that contains the mark of a seam does not shift the others', () => {
    expect(textsOf(posted(['a\ufffcb', '310-555-1234']))).toEqual(['a b', '[phone]']);
  });
});

describe('the parts of a post', () => {
  const body = (stored: IncomingMessage) => messageBody(stored, undefined);

  test('without a filter are as they were written, and the text has a line break between', () => {
    expect(body(message(['#f', '1', '#g', '2'], [attachment('f'), attachment('g')]))).toMatchObject({
      text: '1\n2',
      filtered_text: '1\n2',
      parts: [
        { type: 'attachment', guid: 'f' },
        { type: 'text', text: '1' },
        { type: 'attachment', guid: 'g' },
        { type: 'text', text: '2' },
      ],
    });
  });

  test.each<[string, string[], string[], unknown[]]>([
    ['a place whose file has no row is left out', ['#cloud', 'a'], [], ['a']],
    ['a file without a place comes behind', ['a', '#f', 'b'], ['f', 'g'], ['a', '#f', 'b', '#g']],
    ['a file of another name than its place comes behind', ['#x', 'a'], ['f'], ['a', '#f']],
    ['a file with two places is there once', ['#f', 'a', '#f'], ['f'], ['#f', 'a']],
  ])('%s', (_name, parts, guids, expected) => {
    const shown = body(
      message(
        parts,
        guids.map((guid) => attachment(guid)),
      ),
    ).parts as MessagePart[];
    expect(shown.map((part) => (part.type === 'text' ? part.text : `#${part.guid}`))).toEqual(expected);
  });

  test('places that name no file are those of the files in their order', () => {
    const stored = message(['a'], [attachment('f'), attachment('g'), attachment('h')]);
    const place: MessagePart = { type: 'attachment', guid: null };
    const parts: MessagePart[] = [
      place,
      { type: 'text', text: 'a' },
      { type: 'attachment', guid: 'f' },
      place,
    ];
    expect(body({ ...stored, parts })).toMatchObject({
      parts: [{ guid: 'g' }, { text: 'a' }, { guid: 'f' }, { guid: 'h' }],
    });
  });

  test('of a message stored by an older version: files alone; of text and files the order is not known', () => {
    const { parts: _, ...old } = message(['hello']);
    expect(body(old)).not.toHaveProperty('parts');
    const files = [attachment('f'), attachment('g')];
    expect(body({ ...old, text: '', attachments: files }).parts).toMatchObject([
      { guid: 'f' },
      { guid: 'g' },
    ]);
    expect(body({ ...old, attachments: files })).not.toHaveProperty('parts');
    expect(body({ ...old, text: '' })).not.toHaveProperty('parts');
  });

  test('that contradict the text are ignored', () => {
    const stored = { ...message(['a', '#f'], [attachment('f')]), text: 'changed' };
    expect(body(stored)).toMatchObject({ text: 'changed' });
    expect(body(stored)).not.toHaveProperty('parts');
  });
});

describe('whatever the parts are', () => {
  const card = fc
    .tuple(fc.constantFrom('4', '5', '37', '6011'), fc.stringMatching(/^\d{11}$/))
    .map(([prefix, rest]) => prefix + rest)
    .map((digits) => digits + [...'0123456789'].find((check) => passesLuhn(digits + check)));
  const grouped = (digits: string) => (digits.match(/.{1,4}/g) ?? []).join(' ');
  const secret = fc.oneof(
    card,
    card.map(grouped),
    fc
      .tuple(
        fc.integer({ min: 100, max: 665 }),
        fc.integer({ min: 10, max: 99 }),
        fc.integer({ min: 1000, max: 9999 }),
      )
      .map((groups) => groups.join('-')),
    fc.integer({ min: 1000, max: 9999 }).map((line) => `310-555-${line}`),
    fc.integer({ min: 1000, max: 9999 }).map((line) => `+1 (415) 555-${line}`),
  );
  const address = fc
    .tuple(fc.stringMatching(/^[a-z]{3,8}$/), fc.stringMatching(/^[a-z]{3,8}$/))
    .map(([name, host]) => `${name}@${host}.example`);
  const word = fc.constantFrom('see you', 'ok', 'bring the keys', 'at 8', '#', 'Ünïcode', '你好', '😀');
  /** How a secret is placed: complete in a part of its own, inside a text, or cut in two at some place. */
  const place = fc.constantFrom('alone', 'behind a word', 'before a word', 'cut');
  const given = fc.record({
    words: fc.array(word, { minLength: 1, maxLength: 6 }),
    placed: fc.array(
      fc.record({
        value: fc.oneof(secret, address),
        place,
        at: fc.nat(6),
        cut: fc.double({ min: 0, max: 1, noNaN: true }),
        named: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  });

  test('nothing that was removed is in any field of the body, and text and parts agree', () => {
    fc.assert(
      fc.property(given, ({ words, placed }) => {
        const blocks = words.map((one, index) => [one === '#' ? `#f${index}` : one]);
        const files = blocks
          .flat()
          .flatMap((part) => (part.startsWith('#') ? [attachment(part.slice(1))] : []));
        const gone: string[] = [];
        for (const { value, place: where, at, cut, named } of placed) {
          const pieces =
            where === 'behind a word'
              ? [`it is ${value}`]
              : where === 'before a word'
                ? [`${value} ok`]
                : [value];
          if (where === 'cut') {
            const middle = 1 + Math.floor(cut * (value.length - 2));
            const halves = [value.slice(0, middle), value.slice(middle)].map((half) => half.trim());
            blocks.splice(at, 0, halves);
            // Of an address that is cut, an end may be a complete address, and the rest ordinary text.
            if (!value.includes('@'))
              gone.push(...halves.filter((half) => half.replace(/\D/g, '').length >= 5));
          } else blocks.splice(at, 0, pieces);
          if (named) files.push(attachment(`n${files.length}`, { filename: `scan ${value}.pdf` }));
          gone.push(value);
        }
        const parts = blocks.flat();
        const body = posted(parts, files);
        const everything = JSON.stringify(body);
        for (const value of gone) expect(everything).not.toContain(value);
        expect(textsOf(body).join('\n')).toBe(body.filtered_text);
        expect(body.was_redacted).toBe((body.redacted_fields as string[]).length > 0);
        expect(textsOf(body)).toHaveLength(parts.filter((part) => !part.startsWith('#')).length);
        const again = filteredTogether((text) => filter?.(text) ?? { text, fields: [] }, [textsOf(body)]);
        expect(again).toEqual({ groups: [textsOf(body)], fields: [] });
      }),
      { numRuns: sized(100, 5_000), seed: 127 },
    );
  });
});

test('a message of 1 MB in 30 000 parts, full of digits, is filtered in seconds', () => {
  const parts = Array.from(
    { length: 30_000 },
    (_, index) => `line ${index} of many, 310-555-${1000 + (index % 9000)}`,
  );
  const start = process.cpuUsage();
  const body = posted(parts);
  expect(process.cpuUsage(start).user / 1_000).toBeLessThan(20_000);
  expect(JSON.stringify(body)).not.toContain('310-555');
});
