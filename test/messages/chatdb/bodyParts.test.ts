import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AttributedRun,
  encodeAttributedBody,
  encodeRuns,
} from '../../../src/kit/messages/typedstreamEncoder.js';
import { decodeAttributedBody } from '../../../src/messages/chatdb/attributedBody.js';
import {
  bodyOf,
  bodyParts,
  countedParts,
  normalisedText,
  readableText,
  underSubject,
} from '../../../src/messages/chatdb/rowBody.js';
import { textOf } from '../../../src/store/incomingRecord.js';
import { sized } from '../../support/size.js';
import { blob } from './blobs.js';

const PART = '__kIMMessagePartAttributeName';
const FILE = '__kIMFileTransferGUIDAttributeName';

type Attributes = AttributedRun['attributes'];
/** A run of text with a part number; null: without one. */
const run = (text: string, part: number | null, ...more: Attributes): AttributedRun => ({
  text,
  attributes: [...more, ...(part === null ? [] : [[PART, part] as const])],
});
const file = (guid: string, part: number | null) => run('\ufffc', part, [FILE, guid]);
const text = (written: string) => ({ type: 'text', text: written });
const attachment = (guid: string | null) => ({ type: 'attachment', guid });
const parts = (...runs: AttributedRun[]) => bodyParts(decodeAttributedBody(encodeRuns(runs)));

test('the message of several parts of a real Mac keeps its seams', () => {
  const id = 'F0668F79-20C2-49C9-A87F-1B007ABB0CED';
  const body = decodeAttributedBody(blob('multiPart'));
  expect(bodyParts(body)).toEqual([
    attachment(`at_0_${id}`),
    text('test 1'),
    attachment(`at_2_${id}`),
    text('test 2'),
    attachment(`at_4_${id}`),
    text('test 3'),
  ]);
  expect(readableText(body)).toBe('test 1\ntest 2\ntest 3');
});

describe('a seam is where the part number changes, or a file has its place', () => {
  test.each<[string, AttributedRun[], unknown[]]>([
    [
      'two texts, nothing between',
      [run('at 8', 0), run('bring keys', 1)],
      [text('at 8'), text('bring keys')],
    ],
    ['numbers that skip', [run('a', 1), run('b', 4)], [text('a'), text('b')]],
    ['numbers that go backwards', [run('a', 3), run('b', 1)], [text('a'), text('b')]],
    ['a number that comes again', [run('a', 0), run('b', 1), run('c', 0)], [text('a'), text('b'), text('c')]],
    ['a file between', [run('a', 0), file('f', 1), run('b', 2)], [text('a'), attachment('f'), text('b')]],
    [
      'a file and texts without numbers',
      [run('a', null), file('f', null), run('b', null)],
      [text('a'), attachment('f'), text('b')],
    ],
    [
      'a text without a number behind a numbered file',
      [file('f', 0), run('b', null)],
      [attachment('f'), text('b')],
    ],
    [
      'files at both ends',
      [file('f', 0), run('a', 1), file('g', 2)],
      [attachment('f'), text('a'), attachment('g')],
    ],
    ['an app between', [run('a', 0), run('\ufffd', 1), run('b', 2)], [text('a'), text('b')]],
    ['a part of blanks alone', [run('a', 0), run(' \n', 1), run('b', 2)], [text('a'), text('b')]],
    ['line breaks and spaces at the seam', [run('a\n\n', 0), run(' \nb ', 1)], [text('a'), text('b')]],
    ['two files of one part', [file('f', 0), file('g', 0)], [attachment('f'), attachment('g')]],
  ])('%s', (_name, runs, expected) => {
    expect(parts(...runs)).toEqual(expected);
    expect(textOf(parts(...runs))).not.toMatch(/\n\n|^\s|\s$/);
  });
});

describe('there is no seam within a part', () => {
  test.each<[string, AttributedRun[], unknown[]]>([
    [
      'formats, a mention and a link',
      [
        run('ask ', 0, ['__kIMTextBoldAttributeName', 1]),
        run('Ann', 0, ['__kIMMentionConfirmedMention', '+13105551234']),
        run(' at a.example', 0, ['__kIMLinkAttributeName', { url: 'https://a.example' }]),
      ],
      [text('ask Ann at a.example')],
    ],
    ['runs without numbers', [run('see', null), run(' you', null)], [text('see you')]],
    ['a run without a number in a part', [run('a', 0), run('b', null), run('c', 0)], [text('abc')]],
    ['a number that comes late', [run('a', null), run('b', 2)], [text('ab')]],
    ['several paragraphs', [run('one\n\ntwo\nthree', 0)], [text('one\n\ntwo\nthree')]],
    [
      'an image within the text',
      [run('so ', 0), file('g', 0), run(' good', 0)],
      [text('so  good'), attachment('g')],
    ],
    [
      'an image that parts two words',
      [run('8', 0), file('g', 0), run('keys', 0)],
      [text('8 keys'), attachment('g')],
    ],
    ['an image before the text', [file('g', 0), run('hi', 0)], [text('hi'), attachment('g')]],
    ['an emoji over two runs of attributes', [run('👩‍🍳', 0), run('👍🏽', 0)], [text('👩‍🍳👍🏽')]],
  ])('%s', (_name, runs, expected) => expect(parts(...runs)).toEqual(expected));

  test('and an own text of several paragraphs compares equal, also if Messages splits it', () => {
    const own = 'see you at 8\n\nbring the keys';
    const one = readableText(decodeAttributedBody(encodeAttributedBody(own)));
    const split = readableText(
      decodeAttributedBody(encodeAttributedBody(['see you at 8', 'bring the keys'])),
    );
    expect(one).toBe(own);
    expect(normalisedText(split)).toBe(normalisedText(own));
    const odd = 'a\ufffdb';
    expect(normalisedText(readableText(decodeAttributedBody(encodeAttributedBody(odd))))).toBe(
      normalisedText(odd),
    );
  });
});

describe('where the runs contain no part numbers', () => {
  const column = (written: string) => bodyOf({ text: written, attributedBody: null });

  test.each([
    [
      'marks in the text are seams',
      '\ufffc1\ufffc2',
      [attachment(null), text('1'), attachment(null), text('2')],
    ],
    ['a mark at the end', 'look\ufffc', [text('look'), attachment(null)]],
    ['a text without marks is one part', 'a\nb', [text('a\nb')]],
    ['nothing', '', []],
  ])('%s', (_name, written, expected) => expect(bodyParts(column(written))).toEqual(expected));

  test('a damaged body has the parts of its marks alone', () => {
    const whole = encodeAttributedBody(['one', '\ufffc', 'two']);
    const cut = bodyOf({ text: 'one\ufffctwo', attributedBody: whole.subarray(0, whole.length - 40) });
    expect(cut).toMatchObject({ fallback: true, runs: [] });
    expect(bodyParts(cut)).toEqual([text('one'), attachment(null), text('two')]);
  });

  test('runs of an empty body are ignored for the text in the column', () => {
    expect(bodyParts(bodyOf({ text: 'a\ufffcb', attributedBody: blob('blank') }))).toEqual([
      text('a'),
      attachment(null),
      text('b'),
    ]);
  });
});

test('a subject is the first text', () => {
  const body = decodeAttributedBody(encodeAttributedBody('\ufffcbody', { transferGuids: ['f'] }));
  expect(underSubject(' Sub\ufffcject ', bodyParts(body))).toEqual([
    text('Sub ject'),
    attachment('f'),
    text('body'),
  ]);
  expect(underSubject('  ', bodyParts(body))).toEqual([attachment('f'), text('body')]);
});

test('whatever the runs are, no text is lost or joined to that of another part', () => {
  const word = fc.stringMatching(/^[a-z]{1,6}$/);
  const runs = fc.array(
    fc.record({
      word,
      part: fc.option(fc.nat(4)),
      file: fc.boolean(),
      before: fc.constantFrom('', ' ', '\n'),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(runs, (given) => {
      const made = given.map((one, index) =>
        one.file ? file(`f${index}`, one.part) : run(`${one.before}${one.word}`, one.part),
      );
      const found = parts(...made);
      const words = given.filter(({ file: isFile }) => !isFile).map(({ word: written }) => written);
      expect(textOf(found).replaceAll(/\s/g, '')).toBe(words.join(''));
      const guids = found.flatMap((part) => (part.type === 'attachment' ? [part.guid] : []));
      expect(guids).toEqual(made.flatMap((_, index) => (given[index]?.file ? [`f${index}`] : [])));
      given.forEach((one, index) => {
        const next = given[index + 1];
        if (next === undefined || one.file || next.file || one.part === null || next.part === null) return;
        if (one.part !== next.part) expect(textOf(found)).toContain(`${one.word}\n${next.word}`);
      });
    }),
    { numRuns: sized(500, 5_000), seed: 12 },
  );
});

test('a body of 800 KB in 40 000 runs takes milliseconds', () => {
  const attributes = [0, 1].map((part): Attributes => [[PART, part]]);
  const many = Array.from(
    { length: 40_000 },
    (_, index): AttributedRun => ({
      text: 'some words of it.',
      attributes: attributes[index % 2] ?? [],
    }),
  );
  const body = decodeAttributedBody(encodeRuns(many));
  expect(body.runs).toHaveLength(40_000);
  const start = process.cpuUsage();
  expect(bodyParts(body)).toHaveLength(40_000);
  expect(process.cpuUsage(start).user / 1_000).toBeLessThan(1_000);
});

test('a text that is nothing but marks does not become a part for each, and is counted as if it did', () => {
  const marks = bodyParts({ text: `a\ufffcb${'\ufffc'.repeat(40_000)}`, runs: [], fallback: false });
  expect(marks.length).toBeLessThan(400);
  const files = Array.from({ length: 300 }, () => attachment(null));
  expect(countedParts(marks)).toEqual([text('a\nb'), ...files]);
});
