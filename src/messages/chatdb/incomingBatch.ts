import type { IncomingMessage } from '../../store/incoming.js';
import { type Awaited, classify, type LeftOutReason, type RowFacts } from './classify.js';
import type { ReadingPosition } from './readingPosition.js';
import type { AttachmentRow, ChatRow, MessageRows } from './rows.js';
import { GROUP_STYLE } from './sentRows.js';

/** A row before the cursor that was not complete, or was held back. `firstSeenAt` is Unix ms. */
export interface PendingRow {
  rowId: number;
  firstSeenAt: number;
}

/** Rows as read at one moment, in the order of ROWID, with what else is needed to judge them. */
export interface Gathered {
  rows: { row: ChatRow; attachments: readonly AttachmentRow[]; participants: readonly string[] }[];
  /** The position behind the last of them, and whether there may be more. */
  position: ReadingPosition;
  full: boolean;
}

export type BatchFacts = Pick<RowFacts, 'region' | 'ownAddresses' | 'worthAnswering'> & { now: number };

/** What becomes of a batch. `dueAt` (Unix ms): when the next waiting row is taken as it is. */
export interface Judged {
  messages: IncomingMessage[];
  leftOut: { rowId: number; reason: LeftOutReason }[];
  pending: PendingRow[];
  dueAt: number | undefined;
  damagedBodies: number;
}

/** How long a row is waited for, from when it was first seen, in ms. */
export const PATIENCE: Readonly<Record<Awaited, number>> = { chat: 3000, text: 2000, attachments: 10_000 };

const NONE: readonly never[] = [];

/** Reads the pending rows and up to `limit` rows behind the position. Throws SqliteError. */
export function gather(
  rows: MessageRows,
  position: ReadingPosition,
  pending: readonly PendingRow[],
  limit: number,
): Gathered {
  const fresh = rows.rowsAfter(position.rowId, limit);
  const waiting = rows.rowsAmong(pending.map((row) => row.rowId));
  const people = new Map<number, string[]>();
  const participants = (chatRowId: number) => {
    const known = people.get(chatRowId) ?? rows.participants(chatRowId);
    people.set(chatRowId, known);
    return known;
  };
  const last = fresh.at(-1);
  return {
    rows: [...waiting, ...fresh].map((row) => ({
      row,
      attachments: row.isFromMe === 1 ? NONE : rows.attachments(row.rowId),
      participants:
        row.chatRowId === null || row.chatStyle !== GROUP_STYLE || row.isFromMe === 1
          ? NONE
          : participants(row.chatRowId),
    })),
    position: last === undefined ? position : { ...position, rowId: last.rowId, guid: last.guid },
    full: fresh.length === limit,
  };
}

/**
 * Judges a batch, oldest row first. A row whose chat or text has not arrived holds back later messages of the
 * same handle, so that they cannot overtake it; one that waits for files does not, for files take long.
 */
export function judge(gathered: Gathered, pending: readonly PendingRow[], facts: BatchFacts): Judged {
  const firstSeen = new Map(pending.map((row) => [row.rowId, row.firstSeenAt]));
  const judged: Judged = { messages: [], leftOut: [], pending: [], dueAt: undefined, damagedBodies: 0 };
  const holding = new Set<string | null>();
  for (const { row, attachments, participants } of gathered.rows) {
    const seenAt = firstSeen.get(row.rowId) ?? facts.now;
    const waited = facts.now - seenAt;
    const verdict = classify(row, {
      region: facts.region,
      ownAddresses: facts.ownAddresses,
      worthAnswering: facts.worthAnswering,
      seenAt,
      // A clock that was set back must not make a row wait for days.
      waitedFor: (awaited) => waited >= PATIENCE[awaited] || waited < 0,
      participants,
      attachments,
    });
    if (verdict.kind === 'left_out') {
      judged.leftOut.push({ rowId: row.rowId, reason: verdict.reason });
      continue;
    }
    if (verdict.kind === 'message' && !holding.has(row.handle)) {
      judged.messages.push(verdict.message);
      if (verdict.bodyDamaged) judged.damagedBodies++;
      continue;
    }
    judged.pending.push({ rowId: row.rowId, firstSeenAt: seenAt });
    if (verdict.kind === 'incomplete') {
      const dueAt = seenAt + PATIENCE[verdict.waitingFor];
      judged.dueAt = Math.min(judged.dueAt ?? dueAt, dueAt);
      if (verdict.waitingFor !== 'attachments') holding.add(row.handle);
    }
  }
  return judged;
}
