import type { LedgerGap } from '../../src/store/ledgerGap.js';
import { UNKNOWN_CLOCK } from '../../src/store/macClock.js';

/** The gap of a restored store of which nothing more is known; found when it ended. */
export function ledgerGap(more: Partial<LedgerGap> & Pick<LedgerGap, 'until'>): LedgerGap {
  return {
    ...{ reason: 'older', generation: null, afterRow: null, untilRow: null, movedAt: null, from: null },
    ...{
      foundAt: more.until,
      offeredUpTo: null,
      knownSends: 0,
      revisions: 0,
      activeUntil: null,
      shownUntil: null,
    },
    ...{ clock: UNKNOWN_CLOCK, copiedAt: null, areRowsNoted: true, answered: null, begun: [] },
    ...more,
  };
}
