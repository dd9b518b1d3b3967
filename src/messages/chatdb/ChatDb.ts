import type { Logger } from '../../logging/Logger.js';
import type { RowPlace, RowState, RowsWithin, SentRow, SentRows } from '../../model/sending.js';
import type { Clock } from '../../system/clock.js';
import { type ChatDbAccess, ChatDbConnection, type OpenChatDb, type Reading } from './ChatDbConnection.js';
import { type GroupNames, type GroupTie, GroupTies, OWN_NAMES } from './ConversationNames.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import { EditedRows } from './EditWatch.js';
import { type Gathered, gather, type PendingRow } from './incomingBatch.js';
import { directionOf } from './ownership.js';
import {
  type Anchor,
  anchor,
  type DateLook,
  type DatePage,
  type LookState,
  type ReadingPosition,
} from './readingPosition.js';
import { bodyOf, normalisedText, readableText } from './rowBody.js';
import { MessageRows, type RowPosition } from './rows.js';
import { type ChatDbSentRow, ChatDbSentRows, type ChatTarget } from './sentRows.js';

interface ChatDbOptions {
  path: string;
  clock: Clock;
  log: Logger;
  /** Region of the user's phone, by which nationally written numbers are read. */
  region: string;
  /** How groups are named to everybody else; each by its own identifier if left out. */
  groups?: GroupNames;
}

/** The accounts of a Mac change about never; until one is known, a little more often. */
const ACCOUNTS_KNOWN_MS = 10 * 60_000;
const ACCOUNTS_UNKNOWN_MS = 30_000;

interface Queries {
  readonly of: OpenChatDb;
  readonly messages: MessageRows;
  readonly sent: ChatDbSentRows;
  readonly edited: EditedRows;
  readonly ties: GroupTies;
}

/**
 * The read-only interface to chat.db. Synchronous, indexed, bounded. While chat.db cannot be read (or is locked at this
 * moment) lists are empty and `highestRowId` is null: `access()` gives the reason in readable words, and reopening is
 * retried automatically. Nothing here throws because of the file.
 */
export class ChatDb {
  private readonly connection: ChatDbConnection;
  private readonly region: string;
  private queries: Queries | undefined;
  private readonly groups: GroupNames;
  private tiesRead: { of: OpenChatDb; state: string } | undefined;
  private accounts: { of: string; at: number; addresses: string[] } | undefined;
  /** So many reads were not possible. */
  private missed = 0;

  constructor(private readonly options: ChatDbOptions) {
    this.connection = new ChatDbConnection(options.path, options.clock, options.log);
    this.region = options.region;
    this.groups = options.groups ?? OWN_NAMES;
  }

  get path(): string {
    return this.options.path;
  }

  /** Whether it can be read now. */
  access(): ChatDbAccess {
    return this.connection.access();
  }

  /** Names the file that is open (`inode:birthtime`); a ROWID means nothing in another. Null while none is. */
  generation(): string | null {
    return this.value((_, open) => open.generation) ?? null;
  }

  /** See ChatDbConnection.changed: for the watcher alone. At most some microseconds. */
  changed(): boolean {
    return this.connection.changed();
  }

  /** The file at the path is not the opened one: reopens it at the next read. */
  reopen(): void {
    this.connection.drop();
  }

  /** Runs several reads of incoming rows, if chat.db can be read. */
  readMessages<T>(work: (rows: MessageRows, generation: string) => T): Reading<T> {
    return this.read((open) => work(this.on(open).messages, open.generation));
  }

  /** Runs several reads of messages that were changed in place, if chat.db can be read. */
  readEdits<T>(work: (rows: EditedRows) => T): Reading<T> {
    return this.read((open) => work(this.on(open).edited));
  }

  /** What several reads find at one instant; undefined if one of them was not possible: then nothing may be concluded. */
  whole<T>(reads: () => T): T | undefined {
    const before = this.missed;
    const found = this.connection.atOneInstant(reads);
    return this.missed === before ? found : undefined;
  }

  /** The highest ROWID now (0 in an empty database); null if it cannot be read: then nothing may be concluded. */
  highestRowId(): number | null {
    return this.value(({ sent }) => sent.highestRowId()) ?? null;
  }

  /** Rows from this account above a ROWID, ascending, at most `limit`. */
  sentRowsAfter(rowId: number, limit: number): ChatDbSentRow[] {
    return this.rowsOfSendsAfter(rowId, limit).filter((row) => row.isUndecided !== true);
  }

  /** The same, and rows that chat.db does not show as sent or received yet. */
  rowsOfSendsAfter(rowId: number, limit: number, within?: RowsWithin): ChatDbSentRow[] {
    return this.rowsOfSends((sent) => sent.sentRowsAfter(rowId, limit, this.region, within));
  }

  /** The same of then (Unix ms) and later, by their date. */
  rowsOfSendsSince(sentAt: number, limit: number, within?: RowsWithin): ChatDbSentRow[] {
    return this.rowsOfSends((sent) => sent.sentRowsSince(sentAt, limit, this.region, within));
  }

  /** The same that are dated in one of these milliseconds (Unix ms). */
  rowsOfSendsDatedAt(times: readonly number[]): ChatDbSentRow[] {
    return this.rowsOfSends((sent) => sent.sentRowsDatedAt(times, this.region));
  }

  /** The same with these guids. */
  rowsOfSendsNamed(guids: readonly string[]): ChatDbSentRow[] {
    return this.rowsOfSends((sent) => sent.sentRowsNamed(guids, this.region));
  }

  /** The positions of the rows with these guids, from any sender. */
  placesOf(guids: readonly string[]): RowPlace[] {
    return this.value(({ sent }) => sent.placesOf(guids)) ?? [];
  }

  /** The current row of a sent message. */
  sentRow(guid: string): ChatDbSentRow | undefined {
    return this.rowsOfSends((sent) =>
      [sent.sentRow(guid, this.region)].filter((row) => row !== undefined),
    )[0];
  }

  /** The marks of sent messages as they stand now, by guid; undefined if chat.db cannot be read. */
  sentStates(guids: readonly string[]): ReadonlyMap<string, RowState> | undefined {
    return this.value(({ sent }) => sent.states(guids));
  }

  /**
   * The chats of a conversation (its canonical key) that exist, newest message first; never an invented one. Undefined
   * if chat.db cannot be read: then nothing may be concluded.
   */
  findChat(conversationKey: string): ChatTarget[] | undefined {
    const names = this.groups.identifiersOf(conversationKey);
    return this.value(({ sent }) => sent.findChat(names, this.region));
  }

  /** The name that a group, named by its canonical key, was given in Messages; null if none, or if chat.db cannot be read. */
  groupName(conversationKey: string): string | null {
    const identifiers = this.groups.identifiersOf(conversationKey);
    return this.value(({ sent }) => sent.groupName(identifiers, this.region)) ?? null;
  }

  /** The groups that go by several identifiers, if chats were added or removed since the last call; else undefined. */
  newGroupTies(): { ties: GroupTie[]; tooMany: number } | undefined {
    return this.value(({ ties }, open) => {
      const state = ties.state();
      if (this.tiesRead?.of === open && this.tiesRead.state === state) return undefined;
      const read = ties.read(this.region);
      this.tiesRead = { of: open, state };
      return read;
    });
  }

  /** The result of `newGroupTies` was not stored: it is returned again. */
  forgetGroupTies(): void {
    this.tiesRead = undefined;
  }

  /** The services (iMessage, SMS, RCS …) by which a person, named by their canonical key, was met, besides those of their chats. */
  servicesOf(conversationKey: string): string[] {
    return this.value(({ sent }) => sent.servicesOf(conversationKey, this.region)) ?? [];
  }

  /** The addresses that this Mac's accounts send from and are reached at, as chat.db has them. Cached for minutes. */
  ownAddresses(): readonly string[] {
    const now = this.options.clock.monotonic();
    const known = this.accounts;
    const fresh = known?.addresses.length === 0 ? ACCOUNTS_UNKNOWN_MS : ACCOUNTS_KNOWN_MS;
    if (known !== undefined && known.of === this.queries?.of.generation && now - known.at < fresh) {
      return known.addresses;
    }
    const read = this.value(({ sent }, open) => ({
      of: open.generation,
      addresses: sent.accountAddresses(),
    }));
    if (read !== undefined) this.accounts = { ...read, at: now };
    return this.accounts?.addresses ?? [];
  }

  close(): void {
    this.connection.close();
    this.queries = undefined;
  }

  /** The one way out for outgoing rows: each has the name by which its conversation is known, whatever its chat is called. */
  private rowsOfSends(read: (sent: ChatDbSentRows) => ChatDbSentRow[]): ChatDbSentRow[] {
    return (this.value(({ sent }) => read(sent)) ?? []).map((row) => {
      const { conversationKey: key } = row;
      return key === null ? row : { ...row, conversationKey: this.groups.nameOf(key) };
    });
  }

  private value<T>(read: (queries: Queries, open: OpenChatDb) => T): T | undefined {
    const reading = this.read((open) => read(this.on(open), open));
    return reading.kind === 'read' ? reading.value : undefined;
  }

  /** The one way in. */
  private read<T>(work: (open: OpenChatDb) => T): Reading<T> {
    const reading = this.connection.read(work);
    if (reading.kind !== 'read') this.missed += 1;
    return reading;
  }

  /** The statements for what is open now: prepared once a connection, for its own schema. */
  private on(open: OpenChatDb): Queries {
    if (this.queries?.of !== open) {
      this.queries = {
        of: open,
        messages: new MessageRows(open, this.groups),
        sent: new ChatDbSentRows(open),
        edited: new EditedRows(open),
        ties: new GroupTies(open),
      };
    }
    return this.queries;
  }
}

/** So many of the rows before the cursor are remembered when reading begins: those of about two days on a busy Mac. */
export const SEEDS = 2000;

/** The reading position, the waiting rows, and what is to be read. */
interface Place {
  known: ReadingPosition | undefined;
  pending: readonly PendingRow[];
  /** At most so many rows are read. */
  limit: number;
  /** The guids of the messages that we have, the newest first. */
  newestKnown: () => readonly string[];
  beside: Parameters<typeof gather>[4];
  /** Rows that were read before, which show whether ROWIDs are still the same. */
  samples: readonly RowPosition[];
  /** The rows before the cursor are not remembered yet. */
  needsSeeds: boolean;
  /** A page of rows by date is to be read, instead of those behind the position. */
  byDate: { look: DateLook; state: LookState; isSeen: (guid: string) => boolean } | undefined;
}

/** A row that was passed before rows were remembered. */
export interface Seed {
  row: ChatRow;
  attachments: readonly AttachmentRow[];
}

/** Nothing is gathered unless the database is the one that was read last. */
interface Look {
  anchored: Anchor;
  gathered: Gathered;
  page: DatePage | undefined;
  seeds: readonly Seed[];
}

/** Finds the place in the database that is open and reads on from there. Throws SqliteError. */
export function lookForRows(place: Place, rows: MessageRows, generation: string): Look {
  const { known, pending, newestKnown, beside, byDate, limit } = place;
  const anchored = anchor(known, rows, generation, newestKnown, place.samples);
  const { position, kind } = anchored;
  const isSame = kind === 'same';
  const needsSeeds = kind === 'first' || (isSame && place.needsSeeds);
  const seeds = needsSeeds ? seedsBefore(position, pending, rows) : [];
  if (!isSame) return { anchored, gathered: { rows: [], position, full: false }, page: undefined, seeds };
  const page = byDate?.look.read(byDate.state, { rows, isSeen: byDate.isSeen });
  return { anchored, gathered: gather(rows, position, pending, limit, beside, page?.rows), page, seeds };
}

function seedsBefore(
  { rowId }: ReadingPosition,
  pending: readonly PendingRow[],
  rows: MessageRows,
): readonly Seed[] {
  const waiting = new Set(pending.map((row) => row.rowId));
  return rows
    .rowsAfter(rowId - SEEDS, SEEDS)
    .filter((row) => row.rowId <= rowId && !waiting.has(row.rowId))
    .map((row) => ({ row, attachments: row.hasAttachments === 1 ? rows.attachments(row.rowId) : [] }));
}

/** Whether rows of a text were found: one that we sent, one that came to us. */
interface FoundText {
  readonly sent: boolean;
  readonly received: boolean;
}

/** Rows above the start that are looked at: what is looked for comes soon, or not at all. */
const MOST_ROWS = 500;

/** Looks above a ROWID for rows with exactly this text, in whatever chat. Neither while chat.db cannot be read. */
export function findText(chatDb: Pick<ChatDb, 'readMessages'>, text: string, afterRow: number): FoundText {
  const reading = chatDb.readMessages((rows) => {
    const found = rows.rowsAfter(afterRow, MOST_ROWS).filter((row) => readableText(bodyOf(row)) === text);
    return {
      sent: found.some((row) => directionOf(row) === 'out'),
      received: found.some((row) => directionOf(row) === 'in'),
    };
  });
  return reading.kind === 'read' ? reading.value : { sent: false, received: false };
}

/** Rows looked at in one go; outgoing rows after an attempt are few. */
const MOST_SENT_ROWS = 1000;

/** chat.db for the outgoing room: the rows that prove what was sent, and what became of it. */
export function sentRows(
  chatDb: ChatDb,
  conversationOf: (address: string) => string,
  /** When ROWIDs were last found to be reassigned (Unix ms). */
  movedAt: () => number | null = () => null,
): SentRows {
  const read = (row: ChatDbSentRow): SentRow => {
    const byHandle = row.handle === null ? null : conversationOf(row.handle);
    const isEmpty = row.isEmpty || row.text === '';
    return {
      rowId: row.rowId,
      guid: row.guid,
      sentAt: row.sentAt,
      conversation: row.conversationKey ?? (isEmpty ? null : byHandle),
      text: row.text,
      service: row.service === '' ? null : row.service,
      error: row.error,
      isSent: row.isSent,
      isDelivered: row.isDelivered,
      isRead: row.isRead,
      wasDowngraded: row.wasDowngraded,
      ...(row.isUndecided === true ? { isUndecided: true } : {}),
      ghostOf: isEmpty && !row.joined && row.isUndecided !== true ? byHandle : null,
    };
  };
  return {
    position() {
      const generation = chatDb.generation();
      const rowId = chatDb.highestRowId();
      return generation === null || rowId === null ? undefined : { generation, rowId, movedAt: movedAt() };
    },
    filesOf(rowId) {
      const reading = chatDb.readMessages((rows) => rows.attachments(rowId));
      if (reading.kind !== 'read') return [];
      return reading.value.map(({ filename, path, sizeBytes }) => ({
        name: filename ?? path?.split('/').at(-1) ?? null,
        sizeBytes,
      }));
    },
    after: (rowId, within) => chatDb.rowsOfSendsAfter(rowId, MOST_SENT_ROWS, within).map(read),
    since: (sentAt, within) => chatDb.rowsOfSendsSince(sentAt, MOST_SENT_ROWS, within).map(read),
    datedAt: (times) => chatDb.rowsOfSendsDatedAt(times).map(read),
    rowIdOf(guid) {
      const reading = chatDb.readMessages((rows) => rows.rowIdOf(guid));
      return reading.kind === 'read' ? reading.value : undefined;
    },
    named: (guids) => chatDb.rowsOfSendsNamed(guids).map(read),
    placesOf: (guids) => chatDb.placesOf(guids),
    statesOf: (guids) => chatDb.sentStates(guids),
    whole: (reads) => chatDb.whole(reads),
    normalise: normalisedText,
  };
}
