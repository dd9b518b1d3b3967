import type { Statement } from 'better-sqlite3';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import type { OpenChatDb } from './ChatDbConnection.js';
import { payloadColumn } from './changeColumns.js';
import { type LinkNeighbour, linkOf, NEIGHBOURS_WITHIN_MS, URL_BALLOON } from './links.js';
import { bodyOf, readableText } from './rowBody.js';
import { GROUP_STYLE } from './schema.js';

interface RawNeighbour {
  rowId: number;
  guid: string;
  text: string | null;
  attributedBody: Buffer | null;
  payload: Buffer | null;
  balloonBundleId: string | null;
  sentAt: number | null;
}

type Prepared<T> = Statement<unknown[], T>;

const NS_A_MS = 1_000_000n;
const NEIGHBOURS_WITHIN_NS = BigInt(NEIGHBOURS_WITHIN_MS) * NS_A_MS;
const MOST_NEIGHBOURS = 40;
/** So many of a chat's newest messages tell whether anybody here ever wrote in it. */
const ACQUAINTANCE = 200;

/**
 * What stands beside a row of `message` and decides what it is. CROSS JOIN keeps the order in which SQLite goes: from
 * one row by its ROWID to few others by an index. All throw SqliteError.
 */
export class NeighbourRows {
  private readonly near: Prepared<RawNeighbour>;
  private readonly answered: Prepared<number>;
  private readonly deleted: Prepared<number> | undefined;
  private readonly grouped: Prepared<number>;

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
    // Either the message that it answers, or about which it is, is in a group or nobody knows where, or its sender is in one, by any
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

  /** Whether anything was sent from this account in the chat, as far as its newest messages tell. */
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
