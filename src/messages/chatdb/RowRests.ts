import type { Clock } from '../../system/clock.js';
import type { Judged, PendingRow } from './incomingBatch.js';

/** Until when a waiting row is not judged again; of few that wait, only a large one rests. */
interface Rest {
  until: number;
  isLarge: boolean;
}

/** Up to so many waiting rows are judged at each look: they cost next to nothing, and what completes one is seen at once. */
const FEW_WAITING = 20;
const ENDED: Rest = { until: Number.NEGATIVE_INFINITY, isLarge: false };

/** When rows that wait are judged again. After a start each of them is. */
export class RowRests {
  /** By ROWID, in ms of the clock that nobody sets. */
  private rests = new Map<number, Rest>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** The waiting rows that are not judged now: of few, only large ones. */
  resting(pending: readonly PendingRow[]): ReadonlySet<number> {
    const now = this.clock.monotonic();
    const areMany = pending.length > FEW_WAITING;
    const rowIds = pending.map(({ rowId }) => rowId);
    return new Set(
      rowIds.filter((rowId) => {
        const { until, isLarge } = this.rests.get(rowId) ?? ENDED;
        return until > now && (areMany || isLarge);
      }),
    );
  }

  /** What becomes of a batch and of the rows that rest beside it: they wait on, and are due when their rest is over. */
  beside(judged: Judged, pending: readonly PendingRow[], resting: ReadonlySet<number>): Judged {
    const now = this.clock.monotonic();
    const kept = pending.filter(({ rowId }) => resting.has(rowId));
    const still = kept.map(({ rowId }) => [rowId, this.rests.get(rowId) ?? ENDED] as const);
    this.rests = new Map([
      ...still,
      ...[...judged.rests].map(([rowId, { ms, isLarge }]) => [rowId, { until: now + ms, isLarge }] as const),
    ]);
    const dueInMs = [
      ...still.map(([, { until }]) => until - now),
      ...(judged.dueInMs === undefined ? [] : [judged.dueInMs]),
    ];
    return {
      ...judged,
      pending: [...judged.pending, ...kept].toSorted((a, b) => a.rowId - b.rowId),
      dueInMs: dueInMs.length === 0 ? undefined : Math.min(...dueInMs),
    };
  }

  clear(): void {
    this.rests.clear();
  }
}
