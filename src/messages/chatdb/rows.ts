import type { Statement } from 'better-sqlite3';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import type { OpenChatDb } from './ChatDbConnection.js';
import { type GroupNames, OWN_NAMES } from './ConversationNames.js';
import type { AttachmentRow, ChatRow } from './chatRow.js';
import { type LinkNeighbour, linkOf, NEIGHBOURS_WITHIN_MS, URL_BALLOON } from './links.js';
import { MAX_PLIST_BYTES } from './messageSummary.js';
import { bodyOf, readableText } from './rowBody.js';
import { APPLE_EPOCH_MS, GROUP_STYLE, LATEST_NS, LEAST_NS, mimeTypeColumn, type Schema } from './schema.js';

/** The position of a message, for a cursor. */
export interface RowPosition {
  rowId: number;
  guid: string;
}

/** Where a look by date continues: `date` as stored, in the unit of its range. */
export interface DatePlace {
  unit: 'seconds' | 'ns';
  date: bigint;
  rowId: number;
}

/** A row in the order of date. */
interface DatedRow extends RowPosition {
  date: bigint;
  isFromMe: number | null;
}

/** How much a row says, about in bytes. */
export function sizeOf({ text, attributedBody, summary, payload }: ChatRow): number {
  return [text, attributedBody, summary, payload].reduce((size, one) => size + (one?.length ?? 0), 0);
}

/** Whether `rowsAfter` stopped behind these because of what they say: there may be more. */
export function isBatchFull(rows: readonly ChatRow[]): boolean {
  return rows.reduce((size, row) => size + sizeOf(row), 0) >= INPUT_LIMITS.rowBatch;
}

/** So many ROWIDs back is lately. */
const LATELY = 500;

type Prepared<T> = Statement<unknown[], T>;

/** What is read of incoming messages. Each query goes by an index and is bounded; all throw SqliteError. */
export class MessageRows {
  readonly neighbours: NeighbourRows;
  private readonly after: Prepared<ChatRow>;
  private readonly among: Prepared<ChatRow>;
  private readonly ownBefore: Prepared<ChatRow>;
  private readonly people: Prepared<string>;
  private readonly files: Prepared<AttachmentRow>;
  private readonly byGuid: Prepared<number>;
  private readonly guidByRow: Prepared<string>;
  private readonly last: Prepared<RowPosition>;
  private readonly issued: Prepared<number> | undefined;
  private readonly dated:
    | Prepared<{ rowId: number; guid: string; date: string; isFromMe: number | null }>
    | undefined;
  private readonly newestDate: Prepared<string | null> | undefined;

  constructor(
    open: OpenChatDb,
    private readonly groups: GroupNames = OWN_NAMES,
  ) {
    const { database, schema } = open;
    this.neighbours = new NeighbourRows(open);
    const select = messageQuery(schema);
    this.after = database.prepare(`${select} WHERE m.ROWID > ? ORDER BY m.ROWID LIMIT +?`);
    this.among = database.prepare(
      `${select} WHERE m.ROWID IN (SELECT value FROM json_each(?)) ORDER BY m.ROWID`,
    );
    this.ownBefore = database.prepare(
      `${select} WHERE m.ROWID > ? AND m.ROWID <= ? AND +m.is_from_me = 1 ORDER BY m.ROWID`,
    );
    this.people = database
      .prepare<unknown[], string>(
        'SELECT CAST(h.id AS TEXT) FROM chat_handle_join j JOIN handle h ON h.ROWID = j.handle_id WHERE j.chat_id = ? ORDER BY h.ROWID',
      )
      .pluck();
    this.files = database.prepare(attachmentQuery(schema));
    this.guidByRow = database
      .prepare<unknown[], string>('SELECT CAST(guid AS TEXT) FROM message WHERE ROWID = ?')
      .pluck();
    this.byGuid = database.prepare<unknown[], number>('SELECT ROWID FROM message WHERE guid = ?').pluck();
    this.last = database.prepare(
      'SELECT ROWID AS rowId, CAST(guid AS TEXT) AS guid FROM message ORDER BY ROWID DESC LIMIT 1',
    );
    if (schema.has('message', 'date')) {
      this.dated = database.prepare(
        `SELECT m.ROWID AS rowId, CAST(m.guid AS TEXT) AS guid, CAST(m.date AS TEXT) AS date,
           ${schema.column('message', 'm', 'is_from_me')} AS isFromMe
         FROM message m WHERE m.date >= ? AND m.date < ? AND (m.date > ? OR m.ROWID > ?) AND typeof(m.date) = 'integer'
         ORDER BY m.date, m.ROWID LIMIT +?`,
      );
      this.newestDate = database
        .prepare<unknown[], string | null>(
          `SELECT CAST(max(m.date) AS TEXT) FROM message m WHERE m.date >= ${LEAST_NS} AND m.date < ${LATEST_NS}`,
        )
        .pluck();
    }
    // Only a table that is AUTOINCREMENT somewhere in the file makes this one exist.
    const sequenced = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").get();
    this.issued =
      sequenced === undefined
        ? undefined
        : database
            .prepare<unknown[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'message'")
            .pluck();
  }

  /** Rows with a ROWID above this one, in its order, at most `limit`, and fewer where they say much (INPUT_LIMITS.rowBatch). */
  rowsAfter(rowId: number, limit: number): ChatRow[] {
    const rows: ChatRow[] = [];
    let size = 0;
    for (const row of this.after.iterate(rowId, limit)) {
      rows.push(row);
      size += sizeOf(row);
      if (size >= INPUT_LIMITS.rowBatch) break;
    }
    return this.named(rows);
  }

  /** Those of these rows that (still) exist, in the order of ROWID. */
  rowsAmong(rowIds: readonly number[]): ChatRow[] {
    return rowIds.length === 0 ? [] : this.named(this.among.all(JSON.stringify(rowIds)));
  }

  /** Rows in the order of their dates from there on, at most `limit`; empty in a schema without dates. */
  rowsByDate({ unit, date, rowId }: DatePlace, limit: number): DatedRow[] {
    const end = BigInt(unit === 'ns' ? LATEST_NS : LEAST_NS);
    const found = this.dated?.all(date, end, date, rowId, limit) ?? [];
    return found.map((row) => ({ ...row, date: BigInt(row.date) }));
  }

  /** The date of the newest message, Unix ms; undefined if none has one. */
  newestAt(): number | undefined {
    const newest = this.newestDate?.get() ?? null;
    return newest === null ? undefined : Number(BigInt(newest) / 1_000_000n) + APPLE_EPOCH_MS;
  }

  /** Recently sent rows, up to this one. */
  recentOwnRows(rowId: number): ChatRow[] {
    return this.named(this.ownBefore.all(rowId - LATELY, rowId));
  }

  private named(rows: ChatRow[]): ChatRow[] {
    for (const row of rows)
      if (row.chatStyle === GROUP_STYLE && row.chatIdentifier !== null)
        row.chatIdentifier = this.groups.nameOf(row.chatIdentifier);
    return rows;
  }

  /** The handles of a chat, as written, ours not among them. */
  participants(chatRowId: number): string[] {
    return this.people.all(chatRowId);
  }

  /** The files joined to a message so far. */
  attachments(messageRowId: number): AttachmentRow[] {
    return this.files.all(messageRowId);
  }

  rowIdOf(guid: string): number | undefined {
    return this.byGuid.get(guid);
  }

  guidOf(rowId: number): string | undefined {
    return this.guidByRow.get(rowId);
  }

  /** The newest row, undefined in an empty database. */
  newest(): RowPosition | undefined {
    return this.last.get();
  }

  /** The highest ROWID ever given out here: deleting messages does not lower it, another database may. */
  highestIssued(): number {
    return Math.max(this.issued?.get() ?? 0, this.newest()?.rowId ?? 0);
  }
}

/**
 * LEFT JOINs: a row without handle or chat is a row. A message may be joined to several chats (SMS and iMessage
 * merged); a group is preferred, then the one whose service fits, then the oldest.
 */
function messageQuery(schema: Schema): string {
  const m = (column: string) => schema.column('message', 'm', column);
  const c = (column: string) => schema.column('chat', 'c', column);
  const text = (column: string) => schema.text('message', 'm', column);
  const upTo = (most: number, column: string) => schema.textUpTo(most, 'message', 'm', column);
  const chatText = (column: string) => schema.text('chat', 'c', column);
  return `SELECT m.ROWID AS rowId, CAST(m.guid AS TEXT) AS guid, ${upTo(INPUT_LIMITS.messageBody, 'text')} AS text,
    ${schema.bytes('message', 'm', 'attributedBody')} AS attributedBody, ${upTo(INPUT_LIMITS.messageTitle, 'subject')} AS subject,
    ${text('service')} AS service, ${schema.text('handle', 'h', 'id')} AS handle, ${schema.date('message', 'm', 'date')} AS sentAt,
    ${schema.exactDate('message', 'm', 'date')} AS date, ${schema.isInSeconds('message', 'm', 'date')} AS datesAreSeconds,
    ${m('is_from_me')} AS isFromMe, ${m('is_finished')} AS isFinished, ${m('is_sent')} AS isSent, ${text('account')} AS account, ${text('destination_caller_id')} AS ownAddress,
    ${m('item_type')} AS itemType, ${m('group_action_type')} AS groupActionType, ${upTo(INPUT_LIMITS.messageTitle, 'group_title')} AS groupTitle,
    CASE WHEN ${m('item_type')} <> 0 THEN (SELECT ${schema.text('handle', 'o', 'id')} FROM handle o WHERE o.ROWID = ${m('other_handle')}) END
      AS otherHandle,
    ${m('associated_message_type')} AS associatedType, ${text('associated_message_guid')} AS associatedGuid,
    ${text('associated_message_emoji')} AS associatedEmoji, ${text('balloon_bundle_id')} AS balloonBundleId,
    ${m('cache_has_attachments')} AS hasAttachments, ${m('is_empty')} AS isEmpty, ${m('part_count')} AS partCount,
    ${schema.date('message', 'm', 'date_edited')} AS editedAt,
    ${schema.date('message', 'm', 'date_retracted')} AS retractedAt, ${summaryColumn(schema, 'm')} AS summary,
    ${m('is_system_message')} AS isSystemMessage, ${m('is_service_message')} AS isServiceMessage,
    ${m('is_corrupt')} AS isCorrupt, ${m('is_spam')} AS isSpam, ${m('is_auto_reply')} AS isAutoReply, ${m('schedule_type')} AS scheduleType,
    ${text('thread_originator_guid')} AS threadOriginatorGuid, ${text('reply_to_guid')} AS replyToGuid,
    ${payloadColumn(schema, 'm')} AS payload, ${text('cache_roomnames')} AS roomName,
    c.ROWID AS chatRowId, ${chatText('guid')} AS chatGuid, ${chatText('chat_identifier')} AS chatIdentifier, ${c('style')} AS chatStyle,
    ${chatText('service_name')} AS chatService, ${c('is_blackholed')} AS chatIsBlackholed,
    ${c('is_filtered')} AS chatIsFiltered
    FROM message m LEFT JOIN handle h ON h.ROWID = ${m('handle_id')}
    LEFT JOIN chat c ON c.ROWID = ${chatOf(schema)}`;
}

/** Above every ROWID of a chat: puts the chats of another service behind those whose service fits. */
const OTHER_SERVICE = 2 ** 40;
/** Puts chats with one person behind groups: what was also said in a group was said to all. */
const NO_GROUP = 2 ** 41;

/** The ROWID of the chat of message `m`, as an expression. A minimum, as sorting costs twice the whole row. */
export function chatOf(schema: Schema): string {
  const [ofChat, ofMessage] = [
    schema.column('chat', 'x', 'service_name'),
    schema.column('message', 'm', 'service'),
  ];
  const differs = `(${ofChat} IS NOT ${ofMessage} COLLATE NOCASE)`;
  const isDirect = `(${schema.column('chat', 'x', 'style')} IS NOT ${GROUP_STYLE})`;
  return `(SELECT min(j.chat_id + ${differs} * ${OTHER_SERVICE} + ${isDirect} * ${NO_GROUP}) % ${OTHER_SERVICE}
      FROM chat_message_join j JOIN chat x ON x.ROWID = j.chat_id WHERE j.message_id = m.ROWID)`;
}

function attachmentQuery(schema: Schema): string {
  return `SELECT ${attachmentColumns(schema)}
    FROM message_attachment_join j JOIN attachment a ON a.ROWID = j.attachment_id
    WHERE j.message_id = ? ORDER BY a.ROWID`;
}

/** An AttachmentRow of the table `a`, as the columns of a query. */
export function attachmentColumns(schema: Schema): string {
  const a = (column: string) => schema.column('attachment', 'a', column);
  const text = (column: string) => schema.text('attachment', 'a', column);
  return `CAST(a.guid AS TEXT) AS guid, ${mimeTypeColumn(schema, 'a')} AS mimeType,
    ${schema.textUpTo(INPUT_LIMITS.identifier, 'attachment', 'a', 'transfer_name')} AS filename,
    ${text('filename')} AS path, coalesce(${a('total_bytes')}, 0) AS sizeBytes,
    ${a('transfer_state')} AS transferState, ${a('hide_attachment')} AS hidden`;
}

interface RawNeighbour {
  rowId: number;
  guid: string;
  text: string | null;
  attributedBody: Buffer | null;
  payload: Buffer | null;
  balloonBundleId: string | null;
  sentAt: number | null;
}

type PreparedNeighbours<T> = Statement<unknown[], T>;

const NS_A_MS = 1_000_000n;
const NEIGHBOURS_WITHIN_NS = BigInt(NEIGHBOURS_WITHIN_MS) * NS_A_MS;
const MOST_NEIGHBOURS = 40;
/** How many of a chat's newest messages are checked for one sent from here. */
const ACQUAINTANCE = 200;

/**
 * Related data of a row of `message` that decides what it is. CROSS JOIN fixes SQLite's order: from one row by its
 * ROWID to few others by an index. All throw SqliteError.
 */
class NeighbourRows {
  private readonly near: PreparedNeighbours<RawNeighbour>;
  private readonly answered: PreparedNeighbours<number>;
  private readonly deleted: PreparedNeighbours<number> | undefined;
  private readonly grouped: PreparedNeighbours<number>;

  constructor({ database, schema }: OpenChatDb) {
    const n = (column: string) => schema.column('message', 'n', column);
    this.near = database.prepare(
      `SELECT n.ROWID AS rowId, CAST(n.guid AS TEXT) AS guid, ${n('balloon_bundle_id')} AS balloonBundleId,
         ${schema.textUpTo(INPUT_LIMITS.neighbourBody, 'message', 'n', 'text')} AS text,
         ${schema.bytes('message', 'n', 'attributedBody', INPUT_LIMITS.neighbourBody)} AS attributedBody, ${payloadColumn(schema, 'n')} AS payload,
         ${schema.date('message', 'n', 'date')} AS sentAt
       FROM message m CROSS JOIN message n
       WHERE m.ROWID = ? AND n.handle_id = m.handle_id AND n.date BETWEEN m.date - ? AND m.date + ?
         AND n.ROWID <> m.ROWID AND +n.is_from_me = 0 AND (${n('balloon_bundle_id')} IS NULL OR ${n('balloon_bundle_id')} = '${URL_BALLOON}')
         AND coalesce(${n('associated_message_type')}, 0) < 1000 AND coalesce(${n('item_type')}, 0) = 0
         AND EXISTS (SELECT 1 FROM chat_message_join a JOIN chat_message_join b ON b.chat_id = a.chat_id
           WHERE a.message_id = m.ROWID AND b.message_id = n.ROWID)
       ORDER BY abs(n.date - m.date) LIMIT ${MOST_NEIGHBOURS}`,
    );
    this.answered = database
      .prepare<unknown[], number>(
        `SELECT 1 FROM (SELECT j.message_id FROM chat_message_join j WHERE j.chat_id = ?
           ORDER BY ${schema.column('chat_message_join', 'j', 'message_date')} DESC, j.message_id DESC LIMIT ${ACQUAINTANCE}) k
         CROSS JOIN message n WHERE n.ROWID = k.message_id AND +n.is_from_me = 1 LIMIT 1`,
      )
      .pluck();
    const m = (column: string) => schema.column('message', 'm', column);
    const isGroup = `${schema.column('chat', 'c', 'style')} = ${GROUP_STYLE}`;
    const isDirect = `${schema.column('chat', 'c', 'style')} <> ${GROUP_STYLE}`;
    const answers = m('thread_originator_guid');
    // The message that it answers or refers to is in a group or in an unknown chat, or its sender is in a group, by any
    // handle.
    this.grouped = database
      .prepare<unknown[], number>(
        `SELECT 1 FROM message m WHERE m.ROWID = ? AND (
           EXISTS (SELECT 1 FROM message n CROSS JOIN chat_message_join j CROSS JOIN chat c
             WHERE n.guid IN (${m('thread_originator_guid')}, ?) AND j.message_id = n.ROWID
               AND c.ROWID = j.chat_id AND ${isGroup})
           OR (coalesce(${answers}, '') <> '' AND NOT EXISTS (SELECT 1 FROM message n CROSS JOIN chat_message_join j CROSS JOIN chat c
             WHERE n.guid = ${answers} AND j.message_id = n.ROWID AND c.ROWID = j.chat_id AND ${isDirect}))
           OR EXISTS (SELECT 1 FROM handle h CROSS JOIN handle s CROSS JOIN chat_handle_join j CROSS JOIN chat c
             WHERE h.ROWID = ${m('handle_id')} AND s.id = h.id AND j.handle_id = s.ROWID
               AND c.ROWID = j.chat_id AND ${isGroup}))`,
      )
      .pluck();
    // Since macOS 13; it holds what was deleted within some 30 days.
    const keepsDeleted = database
      .prepare("SELECT 1 FROM sqlite_master WHERE name = 'chat_recoverable_message_join'")
      .get();
    this.deleted =
      keepsDeleted === undefined
        ? undefined
        : database
            .prepare<unknown[], number>('SELECT 1 FROM chat_recoverable_message_join WHERE message_id = ?')
            .pluck();
  }

  /** Other texts and links of its sender in its chat, written at about the same time. */
  companions(rowId: number): LinkNeighbour[] {
    return this.near.all(rowId, NEIGHBOURS_WITHIN_NS, NEIGHBOURS_WITHIN_NS).map((raw) => ({
      rowId: raw.rowId,
      guid: raw.guid,
      text: linkOf(readableText(bodyOf(raw)), raw),
      isPreview: raw.balloonBundleId !== null,
      sentAt: raw.sentAt,
    }));
  }

  /** Whether anything was sent from this account in the chat, according to its newest messages. */
  isAcquainted(chatRowId: number): boolean {
    return this.answered.get(chatRowId) !== undefined;
  }

  /**
   * Whether a message that no chat is joined to yet could be of a group: its sender is in one, or it is about (`about`, a
   * guid) or answers a message in one.
   */
  mayBeOfGroup(rowId: number, about: string | null): boolean {
    return this.grouped.get(rowId, about) !== undefined;
  }

  /** Whether a person deleted it: then it belongs to no chat any more. */
  isDeleted(rowId: number): boolean {
    return this.deleted?.get(rowId) !== undefined;
  }
}

/** The keys `rp` and `ec` as they are written in a binary property list: a string of two ASCII characters. */
const RETRACTED_PARTS = "x'527270'";
const EDITED_CONTENT = "x'526563'";

/**
 * `message_summary_info` of alias `m`, as an expression: the bytes where they name parts taken back or edited, else NULL. Nearly
 * every row has such a list, with neither.
 */
export function summaryColumn(schema: Schema, m: string): string {
  if (!schema.has('message', 'message_summary_info')) return 'NULL';
  const column = `${m}.message_summary_info`;
  return `CASE WHEN typeof(${column}) = 'blob' AND length(${column}) <= ${MAX_PLIST_BYTES}
      AND (instr(${column}, ${RETRACTED_PARTS}) > 0 OR instr(${column}, ${EDITED_CONTENT}) > 0) THEN ${column} END`;
}

/** `payload_data` of alias `m`, as an expression: of a link's preview without a text; else NULL. */
function payloadColumn(schema: Schema, m: string): string {
  if (!schema.has('message', 'payload_data') || !schema.has('message', 'balloon_bundle_id')) return 'NULL';
  const column = `${m}.payload_data`;
  return `CASE WHEN ${m}.balloon_bundle_id = '${URL_BALLOON}' AND coalesce(${schema.text('message', m, 'text')}, '') = ''
      AND typeof(${column}) = 'blob' AND length(${column}) <= ${MAX_PLIST_BYTES} THEN ${column} END`;
}
