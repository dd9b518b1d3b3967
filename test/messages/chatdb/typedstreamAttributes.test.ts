import { describe, expect, test } from 'vitest';
import {
  ATTACHMENT_MARK,
  type AttributedRun,
  type AttributeValue,
  encodeAttributedBody,
  encodeRuns,
} from '../../../src/kit/messages/typedstreamEncoder.js';
import { decodeAttributedBody, parseTypedStream } from '../../../src/messages/chatdb/attributedBody.js';

type Attributes = readonly (readonly [string, AttributeValue])[];

const part = (index: number) => ['__kIMMessagePartAttributeName', index] as const;

function parsed(runs: readonly AttributedRun[]) {
  const result = parseTypedStream(encodeRuns(runs));
  if (result.kind !== 'text') throw new Error(result.reason);
  return result;
}

function attributesOf(...attributes: Attributes) {
  return parsed([{ text: 'x', attributes }]).runs[0]?.attributes;
}

describe('attributes of a run', () => {
  test('the handle of a person who is mentioned', () => {
    const { text, runs } = parsed([
      { text: 'ask ', attributes: [part(0)] },
      { text: 'Ann', attributes: [['__kIMMentionConfirmedMention', '+13105551234'], part(0)] },
    ]);
    expect(text).toBe('ask Ann');
    expect(runs.map(({ attributes }) => attributes.mention)).toEqual([null, '+13105551234']);
  });

  test('where a link leads', () => {
    const attributes = attributesOf(['__kIMLinkAttributeName', { url: 'https://a.example/?q=1' }], part(0));
    expect(attributes).toMatchObject({ link: 'https://a.example/?q=1', messagePart: 0 });
  });

  test('a sign-in code, whatever the attribute contains', () => {
    for (const value of ['123456', 1, { url: 'x:1' }, Buffer.from('bplist00')] satisfies AttributeValue[])
      expect(attributesOf(['__kIMOneTimeCodeAttributeName', value])?.oneTimeCode).toBe(true);
    expect(attributesOf(part(0))?.oneTimeCode).toBe(false);
  });

  test('the transcription of an audio file, each with its own', () => {
    for (const said of ['see you at five', 'see you at nine', 'see you at five'])
      expect(attributesOf(['IMAudioTranscription', said], part(0))?.transcription).toBe(said);
    expect(attributesOf(part(0))?.transcription).toBeNull();
  });

  test('effects, formats, sizes and detected data are read and ignored', () => {
    const attributes: Attributes = [
      ['__kIMTextEffectAttributeName', 12],
      ['__kIMTextBoldAttributeName', 1],
      ['__kIMBaseWritingDirectionAttributeName', -1],
      ['__kIMInlineMediaWidthAttributeName', 70_000],
      ['__kIMDataDetectedAttributeName', Buffer.alloc(582, 0x86)],
      part(3),
    ];
    expect(attributesOf(...attributes)).toEqual({
      messagePart: 3,
      transferGuid: null,
      mention: null,
      link: null,
      transcription: null,
      oneTimeCode: false,
    });
  });

  test('runs that share a dictionary name it by its number', () => {
    const [plain, bold]: Attributes[] = [[part(0)], [['__kIMTextBoldAttributeName', 1], part(0)]];
    const shared = [plain, bold, plain, bold].map((attributes = [], n) => ({
      text: `run ${n} `,
      attributes,
    }));
    const { text, runs } = parsed(shared);
    expect(text).toBe('run 0 run 1 run 2 run 3 ');
    expect(runs.map(({ start, length }) => [start, length])).toEqual([
      [0, 6],
      [6, 6],
      [12, 6],
      [18, 6],
    ]);
  });

  test('more attributes than fit a number of one byte', () => {
    const runs = Array.from({ length: 300 }, (_, index) => ({
      text: ATTACHMENT_MARK,
      attributes: [['__kIMFileTransferGUIDAttributeName', `at_${index}_GUID`] as const, part(index)],
    }));
    const guids = parsed(runs).runs.map(({ attributes }) => attributes.transferGuid);
    expect(guids).toEqual(runs.map((_, index) => `at_${index}_GUID`));
  });
});

/** Their bytes hold 86 84, at which parsers that scan for the end of the text stop (docs/facts.md#other-decoders). */
const TRAPS = ['\u2184', '\u3184', '\u5184', '\u{1f184}'];
const LENGTHS = [127, 128, 255, 256, 8192, 32767, 32768, 65535, 65536, 65537, 200_000];

describe.each(TRAPS)('%s, whose bytes look like the end of a text', (trap) => {
  test.each(LENGTHS)('survives in a text of %i bytes', (length) => {
    const size = Buffer.byteLength(trap);
    const text = 'a'.repeat(length % size) + trap.repeat(Math.floor(length / size));
    expect(Buffer.byteLength(text)).toBe(length);
    expect(decodeAttributedBody(encodeAttributedBody(text))).toMatchObject({ text, fallback: false });
  });
});

test('a text that was archived with half a surrogate pair is saved, and reported as damaged', () => {
  // What a lone U+D83D would be in UTF-8, where no such thing exists.
  const whole = encodeAttributedBody('before ??? after');
  whole.set([0xed, 0xa0, 0xbd], whole.indexOf('???'));
  const decoded = decodeAttributedBody(whole);
  expect(decoded.text).toMatch(/^before \ufffd+ after$/);
});

test('cut at every byte, a body with every kind of attribute never throws and never invents', () => {
  const text = `${ATTACHMENT_MARK}Ann, see \u2184 here 🔑`;
  const whole = encodeRuns([
    { text: ATTACHMENT_MARK, attributes: [['__kIMFileTransferGUIDAttributeName', 'at_0_X'], part(0)] },
    { text: 'Ann', attributes: [['__kIMMentionConfirmedMention', 'a@b.c'], part(1)] },
    {
      text: ', see \u2184 ',
      attributes: [['__kIMDataDetectedAttributeName', Buffer.alloc(300, 1)], part(1)],
    },
    { text: 'here 🔑', attributes: [['__kIMLinkAttributeName', { url: 'https://a.example' }], part(1)] },
  ]);
  expect(decodeAttributedBody(whole).text).toBe(text);
  for (let end = 0; end < whole.length; end++) {
    const decoded = decodeAttributedBody(whole.subarray(0, end));
    expect(decoded.fallback, `cut at ${end}`).toBe(true);
    expect(text.startsWith(decoded.text ?? ''), `cut at ${end}: ${decoded.text}`).toBe(true);
  }
});
