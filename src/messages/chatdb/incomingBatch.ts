import BetterSqlite3 from 'better-sqlite3';
import type { IncomingMessage } from '../../model/incoming.js';
import type { SeenRow } from '../../store/cursor.js';
import type { Clock } from '../../system/clock.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import { classify, identityOf, originalAmong, REMEMBERED_MS, seenRow } from './classify.js';
import {
  type Awaited,
  type RowEvent,
  type RowFacts,
  type RowNeighbours,
  type SkipReason,
  targetOf,
} from './judgeRow.js';
import { type LinkNeighbour, URL_BALLOON } from './links.js';
import type { OwnTraffic, Voice } from './ownership.js';
import type { DatedRows, ReadingPosition } from './readingPosition.js';
import { isBatchFull, type MessageRows, sizeOf } from './rows.js';
import { GROUP_STYLE } from './schema.js';

/**
 * A row before the cursor that was not complete, or was held back. `firstSeenAt` is Unix ms, and so is `completeAt`:
 * since then it only lacks the certainty whether it was sent or received.
 */
export interface PendingRow {
  rowId: number;
  firstSeenAt: number;
  completeAt?: number;
}

/** Rows as read at one moment, in the order of ROWID, with what else is needed to judge them. */
export interface Gathered {
  rows: {
    row: ChatRow;
    attachments: readonly AttachmentRow[];
    participants: readonly string[];
    neighbours: RowNeighbours;
  }[];
  /** The position behind the last of them, and whether there may be more. */
  position: ReadingPosition;
  full: boolean;
}

type BatchFacts = Pick<
  RowFacts,
  'region' | 'ownAddresses' | 'worthAnswering' | 'hasEchoed' | 'onlyEchoes' | 'rules'
> & {
  now: number;
  /** How long something of then (Unix ms) has been waited for at least, in ms. */
  waited: (since: number) => number;
  /** The rows that were judged before. */
  seen: { has(guid: string): boolean; like(key: string, conversation: string): readonly SeenRow[] };
  /** What was sent before (Unix ms) is not forwarded, for it is older than the agent; null: nothing is. */
  notBefore: number | null;
  attempt?: Attempt;
};

/** Works on one row, by its guid: throws what the work throws, or that the row is not to be worked on. */
export type Attempt = <T>(guid: string, work: () => T, part?: 'part' | 'whole') => T;

/** What becomes of a batch. `dueInMs`: in how many ms the next waiting row is taken as it is. */
export interface Judged {
  messages: IncomingMessage[];
  /** Links that belong to the message with the guid `to`; separate messages if that is not stored. */
  links: { message: IncomingMessage; to: string }[];
  /** Messages that had been changed already when they were read, and when (Unix ms). */
  edited: { guid: string; editedAt: number }[];
  events: RowEvent[];
  /** The rows that are done with: none of them is judged again. */
  seen: SeenRow[];
  voices: Voice[];
  /** `fault`: what was thrown at a row that cannot be understood. */
  skipped: { rowId: number; guid?: string; reason: SkipReason; fault?: unknown }[];
  pending: PendingRow[];
  /** How long waiting rows may rest before they are judged again, whatever happens to chat.db, in ms, by ROWID; `isLarge`: and do. */
  rests: Map<number, { ms: number; isLarge: boolean }>;
  dueInMs: number | undefined;
  damagedBodies: number;
}

/**
 * How long a row is waited for, from when it was first seen, in ms. `direction` counts from when the row was complete otherwise,
 * so that a text or chat that comes late does not use up the wait.
 */
const PATIENCE: Readonly<Record<Awaited, number>> = {
  chat: 60_000,
  group: 3_600_000,
  text: 2000,
  late_text: 10 * 60_000,
  attachments: 10_000,
  preview: 500,
  direction: 1000,
  late_direction: 10 * 60_000,
  proof: 200_000,
};

/** Whether a text of ours has been proven shows in no change of chat.db: a row that waits for that is looked at so often, in ms. */
const PROOF_LOOK_MS = 1000;

/**
 * If many rows wait, each is judged again only after this share of the time it has waited: however much else arrives,
 * each is judged about a dozen times, and a completed one is reported at most this much later.
 */
const REST_SHARE = 0.1;

/**
 * So long a row without a chat or text holds back later ones of its handle, in ms: its chat nearly always comes within one
 * tenth of a second, and what is sent later must not wait for the few that have none.
 */
const HOLDS_MS = 3_000;
const HOLDS_NOBODY: ReadonlySet<Awaited> = new Set(['late_text', 'late_direction', 'attachments', 'proof']);

const NONE: readonly never[] = [];

/** What gathering needs besides chat.db. The pending rows that are `resting` are not read, by ROWID. */
interface Beside {
  asksAcquaintance: boolean;
  own: OwnTraffic;
  attempt?: Attempt;
  resting?: ReadonlySet<number>;
}

/**
 * Reads the pending rows but those that rest, and up to `limit` rows behind the position or what was found by date. Throws
 * SqliteError.
 */
export function gather(
  rows: MessageRows,
  position: ReadingPosition,
  pending: readonly PendingRow[],
  limit: number,
  beside: Beside,
  byDate?: DatedRows,
): Gathered {
  const fresh = byDate?.unseen ?? rows.rowsAfter(position.rowId, limit);
  const waiting = rows.rowsAmong(
    pending.map((row) => row.rowId).filter((rowId) => beside.resting?.has(rowId) !== true),
  );
  const { asksAcquaintance, own } = beside;
  if (own.startsOver(position.generation))
    for (const row of rows.recentOwnRows(position.rowId)) guarded(row, () => own.note(row), beside.attempt);
  for (const row of byDate?.own ?? []) guarded(row, () => own.note(row), beside.attempt);
  const isWaiting = new Set(pending.map((row) => row.rowId));
  const inRowOrder = [...waiting, ...fresh.filter((row) => !isWaiting.has(row.rowId))];
  // Without a row that was read before, it is not known whether ROWIDs were reassigned.
  const isByDate = byDate !== undefined || position.guid === null;
  const all = isByDate ? inRowOrder.toSorted(byDateSent) : inRowOrder;
  // One that cannot be noted is no echo of anything; what it is itself, and that it is odd, is said by `judge`.
  for (const row of all) guarded(row, () => own.note(row), beside.attempt);
  const people = new Map<number, string[]>();
  const participants = (chatRowId: number) => {
    const known = people.get(chatRowId) ?? rows.participants(chatRowId);
    people.set(chatRowId, known);
    return known;
  };
  const acquainted = new Map<number, boolean>();
  const isAcquainted = ({ chatRowId, isFromMe }: ChatRow) => {
    if (!asksAcquaintance || chatRowId === null || isFromMe === 1) return true;
    const known = acquainted.get(chatRowId) ?? rows.neighbours.isAcquainted(chatRowId);
    acquainted.set(chatRowId, known);
    return known;
  };
  const companions = (row: ChatRow): readonly LinkNeighbour[] =>
    row.isFromMe === 1 ? own.beside(row) : rows.neighbours.companions(row.rowId);
  const last = byDate === undefined ? fresh.at(-1) : undefined;
  return {
    rows: all.map((row) => ({
      row,
      attachments: row.isFromMe === 1 ? NONE : rows.attachments(row.rowId),
      participants:
        row.chatRowId === null || row.chatStyle !== GROUP_STYLE || row.isFromMe === 1
          ? NONE
          : participants(row.chatRowId),
      neighbours: {
        companions: row.balloonBundleId === URL_BALLOON ? companions(row) : NONE,
        ownMessages: row.chatRowId !== null && mayBeEcho(row) ? own.inChat(row.chatRowId) : NONE,
        isAcquainted: isAcquainted(row),
        isDeleted: row.chatRowId === null && rows.neighbours.isDeleted(row.rowId),
        mayBeOfGroup: mayBeOfGroup(row, rows),
      },
    })),
    position: last === undefined ? position : { ...position, rowId: last.rowId, guid: last.guid },
    full: byDate === undefined && (fresh.length === limit || isBatchFull(fresh)),
  };
}

/** The order in which rows were written, where that of ROWIDs says nothing. */
function byDateSent(a: ChatRow, b: ChatRow): number {
  return (a.sentAt ?? Number.MAX_SAFE_INTEGER) - (b.sentAt ?? Number.MAX_SAFE_INTEGER);
}

/** What becomes of `work` at a row that may be like none we know: it must not keep us from all rows behind it. */
function guarded<T>(
  row: ChatRow,
  work: () => T,
  attempt: Attempt = (_guid, tried) => tried(),
  part: 'part' | 'whole' = 'part',
): { value: T } | { fault: unknown } {
  try {
    return { value: attempt(row.guid, work, part) };
  } catch (fault) {
    // A database that fails says nothing of the row.
    if (fault instanceof BetterSqlite3.SqliteError) throw fault;
    return { fault };
  }
}

/** What is remembered of a row, and why nothing more is done with it: it is a copy, or older than the agent. */
function recognised(
  row: ChatRow,
  attachments: readonly AttachmentRow[],
  seenAt: number,
  { region, seen, notBefore }: BatchFacts,
  before: readonly SeenRow[],
): { seen: SeenRow; skipped: SkipReason | undefined } {
  const identity = identityOf(row, attachments, region);
  const { key, legacyKey, conversation } = identity;
  const candidates = [key, legacyKey].flatMap((name) =>
    name === null
      ? []
      : [
          ...seen.like(name, conversation),
          ...before.filter((other) => other.key === name && other.conversation === conversation),
        ],
  );
  const original = originalAmong(identity, seenAt, candidates);
  const isOlder = notBefore !== null && row.sentAt !== null && row.sentAt < notBefore;
  return {
    seen: seenRow(row.guid, identity, seenAt, original),
    skipped: original !== undefined ? 'copy' : isOlder ? 'stale' : undefined,
  };
}

function unidentified(guid: string, seenAt: number): SeenRow {
  return { guid, original: guid, conversation: '', key: null, words: '', files: '', changed: false, seenAt };
}

/** Whether a row that no chat is joined to yet may be of a group, for all that chat.db says. */
function mayBeOfGroup(row: ChatRow, { neighbours }: MessageRows): boolean {
  if (row.chatRowId !== null || row.isFromMe === 1) return false;
  return (row.roomName ?? '') !== '' || neighbours.mayBeOfGroup(row.rowId, targetOf(row).guid);
}

/** What was sent to an address of ours comes back in the same direct chat. */
function mayBeEcho(row: ChatRow): boolean {
  return row.isFromMe !== 1 && row.chatStyle !== GROUP_STYLE && (row.itemType ?? 0) === 0;
}

/**
 * Judges a batch, oldest row first. A row whose chat or text has not arrived holds back later messages of the same
 * handle for some seconds, so that they do not overtake it, and with them the later messages of their conversations; a
 * row that waits for files or for a late text does not, because these take long, nor does one of our own. A row that
 * cannot be parsed is left out as damaged. Throws SqliteError, of the store.
 */
export function judge(gathered: Gathered, pending: readonly PendingRow[], facts: BatchFacts): Judged {
  const known = new Map(pending.map((row) => [row.rowId, row]));
  const judged: Judged = {
    messages: [],
    links: [],
    edited: [],
    events: [],
    seen: [],
    voices: [],
    skipped: [],
    pending: [],
    rests: new Map(),
    dueInMs: undefined,
    damagedBodies: 0,
  };
  const holding = new Set<string | null>();
  const holdingChats = new Set<number>();
  // A message that is held back holds its conversation: no later one overtakes it.
  const heldConversations = new Set<string>();
  for (const { row, attachments, participants, neighbours } of gathered.rows) {
    const before = known.get(row.rowId);
    const seenAt = Math.min(before?.firstSeenAt ?? facts.now, facts.now);
    const completeAt = Math.min(before?.completeAt ?? facts.now, facts.now);
    const waited = facts.waited(seenAt);
    const waitedComplete = facts.waited(completeAt);
    if (facts.seen.has(row.guid)) continue;
    const recognition = guarded(
      row,
      () => recognised(row, attachments, seenAt, facts, judged.seen),
      facts.attempt,
    );
    const isDone = 'value' in recognition ? recognition.value : undefined;
    if (isDone?.skipped !== undefined) {
      judged.seen.push(isDone.seen);
      judged.skipped.push({ rowId: row.rowId, reason: isDone.skipped });
      continue;
    }
    const isRemembered = row.sentAt === null || facts.now - row.sentAt <= REMEMBERED_MS;
    const done = () => {
      if (isRemembered) judged.seen.push(isDone?.seen ?? unidentified(row.guid, seenAt));
    };
    const classified = () =>
      classify(row, {
        region: facts.region,
        ownAddresses: facts.ownAddresses,
        worthAnswering: facts.worthAnswering,
        hasEchoed: facts.hasEchoed,
        onlyEchoes: facts.onlyEchoes,
        seenAt,
        waitedFor: (awaited) => (awaited === 'direction' ? waitedComplete : waited) >= PATIENCE[awaited],
        participants,
        attachments,
        neighbours,
        rules: facts.rules,
      });
    const tried = guarded(row, classified, facts.attempt, 'whole');
    if ('fault' in tried) {
      done();
      judged.skipped.push({ rowId: row.rowId, guid: row.guid, reason: 'damaged', fault: tried.fault });
      continue;
    }
    const verdict = tried.value;
    if (verdict.kind === 'event') {
      done();
      judged.events.push(verdict.event);
      continue;
    }
    if (verdict.kind === 'left_out') {
      done();
      const { reason, echo } = verdict;
      judged.skipped.push({ rowId: row.rowId, reason });
      if (echo !== undefined) judged.voices.push({ address: echo.from, echoOf: echo.of });
      if (verdict.event !== undefined) judged.events.push(verdict.event);
      continue;
    }
    const isHeld =
      holding.has(row.handle) ||
      (row.chatRowId !== null && holdingChats.has(row.chatRowId)) ||
      (verdict.kind === 'message' && heldConversations.has(verdict.message.conversation));
    if (verdict.kind === 'message' && !isHeld) {
      done();
      if (verdict.linkOf === undefined) judged.messages.push(verdict.message);
      else judged.links.push({ message: verdict.message, to: verdict.linkOf });
      if (!verdict.repeatsUs) judged.voices.push({ address: verdict.message.sender, echoOf: null });
      if (verdict.bodyDamaged) judged.damagedBodies++;
      if (verdict.editedAt !== null) judged.edited.push({ guid: row.guid, editedAt: verdict.editedAt });
      continue;
    }
    if (verdict.kind === 'message') heldConversations.add(verdict.message.conversation);
    const waitingFor = verdict.kind === 'incomplete' ? verdict.waitingFor : undefined;
    const isComplete =
      waitingFor === 'direction' || waitingFor === 'proof' || waitingFor === 'late_direction';
    judged.pending.push({ rowId: row.rowId, firstSeenAt: seenAt, ...(isComplete ? { completeAt } : {}) });
    if (waitingFor === undefined) continue;
    const holds = waited < HOLDS_MS && !HOLDS_NOBODY.has(waitingFor) && row.isFromMe !== 1;
    // Its sender is not known, so it holds back all messages in its chat: the next one may be its echo.
    const isUnsettled = isComplete && row.isFromMe !== 1 && waitedComplete < PATIENCE.direction;
    if (isUnsettled && row.chatRowId !== null) holdingChats.add(row.chatRowId);
    else if (holds) holding.add(row.handle);
    const awaited = isUnsettled ? 'direction' : waitingFor;
    const dueIn = dueInOf(awaited, { waited, waitedComplete, holds });
    if (!holds && !isUnsettled)
      judged.rests.set(row.rowId, {
        ms: Math.min(waited * REST_SHARE, Math.max(dueIn, 0)),
        isLarge: sizeOf(row) > INPUT_LIMITS.waitingRow,
      });
    judged.dueInMs = Math.min(judged.dueInMs ?? dueIn, dueIn);
  }
  return judged;
}

/** In how many ms a waiting row is looked at again, whatever happens to chat.db. */
function dueInOf(
  waitingFor: Awaited,
  { waited, waitedComplete, holds }: { waited: number; waitedComplete: number; holds: boolean },
): number {
  const patience = PATIENCE[waitingFor];
  if (waitingFor === 'direction') return patience - waitedComplete;
  if (waitingFor === 'proof') return Math.min(patience - waited, PROOF_LOOK_MS);
  return (holds ? Math.min(HOLDS_MS, patience) : patience) - waited;
}

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
  /** By ROWID, in ms of the monotonic clock. */
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

  /** The result of a batch and of the resting rows: they keep waiting, and are due when their rest is over. */
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
