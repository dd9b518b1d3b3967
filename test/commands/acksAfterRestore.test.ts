import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { numberOf } from '../../src/commands/Commands.js';
import { sendVerdict } from '../../src/commands/handlers/sendMessage.js';
import type { Verdict } from '../../src/model/command.js';
import type { GapReason } from '../../src/store/ledgerGap.js';

const GAP = { reason: 'older' as GapReason, until: 1_000, revisions: 5_000, foundAt: 0 };
const DAY_MS = 86_400_000;
const SENT = sendVerdict({ kind: 'sent', confirmed: true, guid: 'g', service: null, late: false });
const NOT_SENT = sendVerdict({ kind: 'failed', errorCode: 'send_refused', message: 'no' });
const UNKNOWN = sendVerdict({ kind: 'unknown', message: 'nobody knows' });
const REFUSED: Verdict = { kind: 'failed', code: 'invalid_payload', message: 'no such schedule' };

describe('an ack after a restore', () => {
  test.each([
    ['that a text was sent', SENT, { revision: 5_001, isRestored: false }],
    ['that a text was not sent', NOT_SENT, { revision: 5_001, isRestored: false }],
    ['of an unknown outcome', UNKNOWN, { revision: 1, isRestored: true }],
    ['of what the store may have forgotten', REFUSED, { revision: 1, isRestored: true }],
  ])('%s has the number and mark that agree with what the backend knows', (_, verdict, expected) => {
    expect(numberOf(verdict, { revision: 0, receivedAt: 2_000 }, GAP)).toEqual(expected);
  });

  test.each([
    ['without a gap', undefined, 2_000],
    ['at a first start', { ...GAP, reason: 'new' as const }, 2_000],
    ['of a command that came more than a day later', GAP, GAP.until + DAY_MS + 1],
  ])('%s is numbered as usual', (_, gap, receivedAt) => {
    for (const verdict of [SENT, UNKNOWN])
      expect(numberOf(verdict, { revision: 0, receivedAt }, gap)).toEqual({ revision: 1, isRestored: false });
  });

  test('never has the number of an earlier ack with different content, unless it says that its store was restored', () => {
    const verdict = fc.constantFrom(SENT, NOT_SENT, UNKNOWN, REFUSED);
    const life = fc.record({ words: fc.array(verdict, { maxLength: 4 }), copiedAfter: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(life, { minLength: 1, maxLength: 5 }), (lives) => {
        const told = new Map<number, Verdict>();
        let restored = 0;
        lives.forEach(({ words, copiedAfter }, nth) => {
          const gap = nth === 0 ? undefined : { ...GAP, revisions: nth * 1_000 };
          let revision = restored;
          words.forEach((word, index) => {
            const number = numberOf(word, { revision, receivedAt: 0 }, gap);
            revision = number.revision;
            if (index < copiedAfter) restored = revision;
            if (number.isRestored) return;
            expect(told.has(revision)).toBe(false);
            told.set(revision, word);
          });
        });
      }),
    );
  });
});
