import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBinaryPlist, Real } from '../../../src/kit/messages/binaryPlist.js';
import { encodeSummary } from '../../../src/kit/messages/SimulatedChatEvents.js';
import { encodeAttributedBody } from '../../../src/kit/messages/typedstreamEncoder.js';
import {
  bodyFromHistory,
  MAX_PLIST_BYTES,
  readBinaryPlist,
  readMessageSummary,
  UNCHANGED,
} from '../../../src/messages/chatdb/messageSummary.js';
import { sized } from '../../support/size.js';

const SEED = 20_261_129;
const AT = Date.UTC(2026, 10, 1);

/** A property list of these objects as bytes, each reference one byte. */
function plist(objects: readonly (readonly number[])[], root = 0): Buffer {
  let at = 8;
  const offsets = objects.map((object) => {
    const offset = at;
    at += object.length;
    return [offset >> 8, offset & 0xff];
  });
  const trailer = Buffer.alloc(32);
  trailer.writeUInt8(2, 6);
  trailer.writeUInt8(1, 7);
  trailer.writeBigUInt64BE(BigInt(objects.length), 8);
  trailer.writeBigUInt64BE(BigInt(root), 16);
  trailer.writeBigUInt64BE(BigInt(at), 24);
  return Buffer.concat([
    Buffer.from('bplist00'),
    Buffer.from([...objects.flat(), ...offsets.flat()]),
    trailer,
  ]);
}

describe('what a summary contains', () => {
  test('of a message edited five times: the versions of each part in order, and when the last was written', () => {
    const versions = [0, 1, 2, 3, 4, 5].map((n) => ({ text: `version ${n}`, at: AT + n * 60_000 }));
    const summary = readMessageSummary(encodeSummary({ original: 1, versions: { 0: versions } }));
    expect(summary.versions.get(0)).toHaveLength(6);
    expect(summary.editedAt).toBe(AT + 5 * 60_000);
    expect(bodyFromHistory(summary)?.text).toBe('version 5');
  });

  test('a part that was edited and then unsent is not in the text of the history', () => {
    const versions = { 0: [{ text: 'first', at: AT }], 1: [{ text: 'second', at: AT }] };
    const summary = readMessageSummary(encodeSummary({ original: 2, versions, retracted: [1] }));
    expect(bodyFromHistory(summary)?.text).toBe('first');
  });

  test('no text is made of a history that lacks a part that is left', () => {
    const versions = { 1: [{ text: 'only the second', at: AT }] };
    expect(bodyFromHistory(readMessageSummary(encodeSummary({ original: 2, versions })))).toBeNull();
  });

  test('one odd entry does not hide the others', () => {
    const t = encodeAttributedBody('good');
    const odd = encodeBinaryPlist({
      rp: ['two', -1, 3, 1_000_000],
      ec: { '0': [{ d: 'never', t }, 7, { d: new Real(1) }], x: [{ d: 1, t }], '1': 'none' },
      otr: { '0': {}, '-1': {}, '3': {} },
    });
    const { retracted, original, versions } = readMessageSummary(odd);
    expect([[...retracted], [...original], [...versions.keys()]]).toEqual([[3], [0, 3], [0]]);
  });
});

describe('what is not read', () => {
  const whole = encodeSummary({ original: 2, retracted: [1], versions: { 0: [{ text: 'a', at: AT }] } });

  test('nothing, garbage, a header alone, an older format', () => {
    for (const blob of [
      null,
      Buffer.alloc(0),
      Buffer.from('garbage'),
      Buffer.from('bplist00'),
      Buffer.alloc(500),
    ])
      expect(readMessageSummary(blob)).toBe(UNCHANGED);
  });

  test('a summary of 5 MB', () => {
    const large = encodeSummary({
      retracted: [0],
      versions: { 0: [{ text: 'x'.repeat(5_000_000), at: AT }] },
    });
    expect(large.length).toBeGreaterThan(MAX_PLIST_BYTES);
    expect(readMessageSummary(large)).toBe(UNCHANGED);
  });

  test.each([
    ['a list that holds itself', plist([[0xa1, 0]])],
    [
      'two dictionaries that hold each other',
      plist([
        [0xd1, 2, 1],
        [0xd1, 2, 0],
        [0x51, 0x61],
      ]),
    ],
    ['lists nested 200 deep', plist([...Array.from({ length: 200 }, (_, i) => [0xa1, i + 1]), [0x09]])],
    [
      'lists that double at each of 40 steps',
      plist([...Array.from({ length: 40 }, (_, i) => [0xa2, i + 1, i + 1]), [0x09]]),
    ],
    [
      'a list that names one long string 60 000 times',
      (() => {
        const names = Array.from({ length: 60_000 }, () => 1);
        return plist([
          [0xaf, 0x11, 0xea, 0x60, ...names],
          [0x5f, 0x10, 200, ...Array.from({ length: 200 }, () => 0x61)],
        ]);
      })(),
    ],
    ['a length of 4 GB', plist([[0x4f, 0x12, 0xff, 0xff, 0xff, 0xff]])],
    ['a length that is no number', plist([[0x5f, 0x51, 0x61]])],
    ['a date of another size', plist([[0x32, 0, 0, 0, 0]])],
  ])('%s', (_name, bomb) => {
    const before = process.cpuUsage();
    expect(readBinaryPlist(bomb)).toBeUndefined();
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(500);
  });

  test('a summary that is cut anywhere', () => {
    for (let end = 0; end < whole.length; end++) readMessageSummary(whole.subarray(0, end));
    expect(readMessageSummary(whole.subarray(0, whole.length - 1))).toBe(UNCHANGED);
  });

  const runs = sized(20_000, 100_000);
  test(`${runs} damaged summaries, seed ${SEED}: none throws, each within bounds`, () => {
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    const began = performance.now();
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
        const blob = Buffer.from(whole);
        for (const [at, byte] of changes) blob[at] = byte;
        const { retracted, versions } = readMessageSummary(blob);
        expect(retracted.size).toBeLessThanOrEqual(whole.length);
        expect(versions.size).toBeLessThanOrEqual(whole.length);
      }),
      { seed: SEED, numRuns: runs },
    );
    expect(performance.now() - began).toBeLessThan(120_000);
  });

  test('a list of 100 000 parts is bounded', () => {
    const many = encodeBinaryPlist({ rp: Array.from({ length: 4_000 }, (_, i) => i) });
    const { retracted } = readMessageSummary(many);
    expect(retracted.size).toBe(1001);
    for (const length of [5_000, 100_000]) {
      const beyond = { rp: Array.from({ length }, () => 0) };
      expect(readMessageSummary(encodeBinaryPlist(beyond))).toBe(UNCHANGED);
    }
  });
});
