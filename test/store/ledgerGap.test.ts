import { describe, expect, test } from 'vitest';
import { isInGap, standingOf } from '../../src/store/ledgerGap.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { WITNESS } from '../support/witnessNote.js';

const OWN = { id: 'store_1', file: '10:1', counter: 5 };
const SEEN = { own: OWN, file: '10:1', witness: WITNESS, isEmpty: false, isRebuilt: false };

describe('a store', () => {
  test.each([
    ['that is as the witness has it', {}, 'current'],
    [
      'that is ahead of a witness which a power cut held back',
      { witness: { ...WITNESS, counter: 2 } },
      'current',
    ],
    ['that was moved or copied, with nothing done since', { file: '11:2' }, 'current'],
    ['that knows less than the witness', { witness: { ...WITNESS, counter: 6 } }, 'older'],
    ['that is a copy and knows less', { file: '11:2', witness: { ...WITNESS, counter: 6 } }, 'older'],
    ['that is a copy, without a witness', { file: '11:2', witness: undefined }, 'copied'],
    ['in a used inode, without a witness', { file: '10:2', witness: undefined }, 'copied'],
    ['that is the same file, without a witness', { witness: undefined }, 'current'],
    ['beside which another was at work', { witness: { ...WITNESS, store: 'store_2' } }, 'replaced'],
    ['that is empty where another was at work', { own: undefined, isEmpty: true }, 'replaced'],
    ['that is empty, without a witness', { own: undefined, witness: undefined, isEmpty: true }, 'new'],
    ['of a version that recorded nothing', { own: undefined, witness: undefined }, 'current'],
    ['of such a version, put back', { own: undefined }, 'replaced'],
    ['that was salvaged', { isRebuilt: true }, 'rebuilt'],
  ])('%s is %3$s', (_, change, expected) => {
    const standing = standingOf({ ...SEEN, ...change });
    expect(standing.kind === 'gap' ? standing.reason : standing.kind).toBe(expected);
  });
});

describe('a gap', () => {
  const gap = ledgerGap({
    ...{ generation: 'g', afterRow: 10, untilRow: 20, from: 100, until: 200 },
    ...{ activeUntil: 150, copiedAt: 100 },
  });
  test.each([
    ['a row behind the cursor', { rowId: 11, sentAt: 120 }, {}, true],
    ['a row that was read', { rowId: 10, sentAt: 120 }, {}, false],
    ['a row from after it', { rowId: 21, sentAt: 201 }, {}, false],
    ['a row that was written late', { rowId: 21, sentAt: 200 }, {}, true],
    ['a row of then, dated by a clock that was ahead', { rowId: 12, sentAt: 900 }, {}, true],
    ['a row without a date', { rowId: 12, sentAt: null }, {}, false],
    ['a row of another chat.db, by its date', { rowId: 3, sentAt: 120 }, { generation: 'h' }, true],
    ['an older row of another chat.db', { rowId: 30, sentAt: 100 }, { generation: 'h' }, false],
    ['a row whose ROWID was given out anew, by its date', { rowId: 3, sentAt: 120 }, { movedAt: 300 }, true],
    ['an older row whose ROWID was given out anew', { rowId: 30, sentAt: 100 }, { movedAt: 300 }, false],
  ])('has %s: %4$s', (_, row, order, expected) => {
    expect(isInGap(gap, row, { generation: 'g', movedAt: null, ...order })).toBe(expected);
  });
});
