import type { Statement } from 'better-sqlite3';
import { parsePhoneNumberFromString as parsePhoneNumber } from 'libphonenumber-js/min';
import type { RowPlace, RowState, RowsWithin } from '../../model/sending.js';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { conversationKey, isGroupKey } from '../conversationId.js';
import type { OpenChatDb } from './ChatDbConnection.js';
import { unsettledDirection } from './ownership.js';
import { bodyOf, readableText } from './rowBody.js';
import { chatOf } from './rows.js';
import { APPLE_EPOCH_MS, GROUP_STYLE } from './schema.js';

/**
 * The current state of a message that was sent from this account (from this Mac or another device of its owner).
 * `joined`: it belongs to a chat; a row that never does, and is empty, is the ghost of a failed send (imsg #90), whose
 * `handle` is then the identifier it was meant for. `error` 0 is none. Times are Unix ms.
 */
export interface ChatDbSentRow {
  rowId: number;
  guid: string;
  conversationKey: string | null;
  handle: string | null;
  text: string;
  service: string;
  error: number;
  sentAt: number | null;
  isSent: boolean;
  isFinished: boolean;
  isDelivered: boolean;
  isRead: boolean;
  dateDelivered: number | null;
  dateRead: number | null;
  wasDowngraded: boolean;
  isEmpty: boolean;
  joined: boolean;
  /** Present if chat.db does not show it as sent (yet), but has it in a state in which our rows are first written. */
  isUndecided?: true;
}

/** A chat that exists in chat.db. `guid` is what Messages calls it; `newestRow` 0 if it has no message. */
export interface ChatTarget {
  guid: string;
  identifier: string;
  style: 'group' | 'direct';
  service: string;
  accountId: string | null;
  newestRow: number;
}

interface RawSentRow {
  rowId: number;
  guid: string;
  chatGuid: string | null;
  chatIdentifier: string | null;
  chatStyle: number | null;
  handle: string | null;
  text: string | null;
  attributedBody: Buffer | null;
  service: string | null;
  error: number | null;
  sentAt: number | null;
  isSent: number | null;
  isFinished: number | null;
  isDelivered: number | null;
  isRead: number | null;
  dateDelivered: number | null;
  dateRead: number | null;
  wasDowngraded: number | null;
  isEmpty: number | null;
  isFromMe: number | null;
}

type RawMarks = Pick<
  RawSentRow,
  'guid' | 'service' | 'error' | 'isSent' | 'isDelivered' | 'isRead' | 'wasDowngraded'
>;

interface RawChat {
  rowId: number;
  guid: string;
  identifier: string | null;
  style: number | null;
  service: string | null;
  accountId: string | null;
  /** What it is called in Messages. */
  name: string | null;
}

type Prepared<T> = Statement<unknown[], T>;

const NS_IN_MS = 1_000_000;
/** How many of the newest rows are looked at for our own accounts. There is no index on `account`. */
const ACCOUNT_WINDOW = 3000;
/** Finding out how a number may be written takes some 250 µs, and the same few people are written to all day. */
const SPELLINGS_KEPT = 1000;
/** No number is longer; a longer key is no address that may be written in another way. */
const LONGEST_SPELLED = 64;

/** What is read of outgoing messages and of chats to send to. Indexed and bounded; all throw SqliteError. */
export class ChatDbSentRows {
  private readonly highest: Prepared<number | null>;
  private readonly after: Prepared<RawSentRow>;
  private readonly dated: Prepared<RawSentRow> | undefined;
  private readonly afterWithin: Prepared<RawSentRow> | undefined;
  private readonly datedWithin: Prepared<RawSentRow> | undefined;
  private readonly datedAt: Prepared<RawSentRow> | undefined;
  private readonly byGuid: Prepared<RawSentRow>;
  private readonly named: Prepared<RawSentRow>;
  private readonly places: Prepared<RowPlace>;
  private readonly marks: Prepared<RawMarks>;
  private readonly chatsNamed: Prepared<RawChat>;
  private readonly chatsNamedAnyCase: Prepared<RawChat>;
  private readonly newestOf: Prepared<{ rowId: number; date: number }>;
  private readonly accounts: Prepared<string | null>;
  private readonly reached: Prepared<string>;
  private readonly handleServices: Prepared<string>;
  /** By region and key. */
  private readonly spelled = new Map<string, readonly string[]>();

  constructor({ database, schema }: OpenChatDb) {
    const m = (column: string) => schema.column('message', 'm', column);
    const text = (column: string) => schema.text('message', 'm', column);
    const c = (column: string) => schema.column('chat', 'c', column);
    const chatText = (column: string) => schema.text('chat', 'c', column);
    const select = `SELECT m.ROWID AS rowId, CAST(m.guid AS TEXT) AS guid, ${chatText('guid')} AS chatGuid,
      ${chatText('chat_identifier')} AS chatIdentifier, ${c('style')} AS chatStyle,
      ${schema.text('handle', 'h', 'id')} AS handle, ${schema.textUpTo(INPUT_LIMITS.messageBody, 'message', 'm', 'text')} AS text,
      ${schema.bytes('message', 'm', 'attributedBody')} AS attributedBody, ${text('service')} AS service, ${m('error')} AS error,
      ${schema.date('message', 'm', 'date')} AS sentAt, ${m('is_sent')} AS isSent, ${m('is_finished')} AS isFinished,
      ${m('is_delivered')} AS isDelivered, ${m('is_read')} AS isRead,
      ${schema.date('message', 'm', 'date_delivered')} AS dateDelivered,
      ${schema.date('message', 'm', 'date_read')} AS dateRead, ${m('was_downgraded')} AS wasDowngraded,
      ${m('is_empty')} AS isEmpty, ${m('is_from_me')} AS isFromMe
      FROM message m LEFT JOIN handle h ON h.ROWID = m.handle_id
      LEFT JOIN chat c ON c.ROWID = ${chatOf(schema)}`;
    const chats = `SELECT c.ROWID AS rowId, CAST(c.guid AS TEXT) AS guid, ${chatText('chat_identifier')} AS identifier, ${c('style')} AS style,
      ${chatText('service_name')} AS service, ${chatText('account_id')} AS accountId, ${chatText('display_name')} AS name FROM chat c`;
    this.highest = database.prepare<unknown[], number | null>('SELECT max(ROWID) FROM message').pluck();
    // The unary plus keeps SQLite from an index on is_from_me: the few rows above the ROWID are the way in.
    this.after = database.prepare(
      `${select} WHERE m.ROWID > ? AND (+m.is_from_me = 1 OR (${unsettledDirection(schema)})) ORDER BY m.ROWID LIMIT +?`,
    );
    const given = 'FROM json_each(?) t CROSS JOIN message m';
    const isOurs = `(+m.is_from_me = 1 OR (${unsettledDirection(schema)}))`;
    if (schema.has('message', 'date')) {
      this.dated = database.prepare(
        `${select} WHERE m.date >= ? AND ${isOurs} ORDER BY m.date, m.ROWID LIMIT +?`,
      );
      // The same plus: what is wanted of the rows is no way to them.
      this.afterWithin = database.prepare(
        `${select} WHERE m.ROWID > ? AND (+m.ROWID <= ? OR +m.date < ?) AND ${isOurs} ORDER BY m.ROWID LIMIT +?`,
      );
      this.datedWithin = database.prepare(
        `${select} WHERE m.date >= ? AND (+m.ROWID <= ? OR +m.date < ?) AND ${isOurs} ORDER BY m.date, m.ROWID LIMIT +?`,
      );
      this.datedAt = database.prepare(
        `${select.replace('FROM message m', given)} WHERE m.date >= t.value AND m.date < t.value + ${NS_IN_MS} AND ${isOurs} ORDER BY m.date, m.ROWID`,
      );
    }
    this.byGuid = database.prepare(`${select} WHERE m.guid = ? AND +m.is_from_me = 1`);
    this.named = database.prepare(
      `${select.replace('FROM message m', given)} WHERE m.guid = t.value AND ${isOurs}`,
    );
    this.places = database.prepare(
      `SELECT CAST(m.guid AS TEXT) AS guid, m.ROWID AS rowId, ${schema.date('message', 'm', 'date')} AS sentAt,
         coalesce(${m('error')}, 0) AS error ${given} WHERE m.guid = t.value`,
    );
    this.marks = database.prepare(
      `SELECT CAST(m.guid AS TEXT) AS guid, ${text('service')} AS service, ${m('error')} AS error, ${m('is_sent')} AS isSent,
         ${m('is_delivered')} AS isDelivered, ${m('is_read')} AS isRead, ${m('was_downgraded')} AS wasDowngraded
       FROM json_each(?) g CROSS JOIN message m WHERE m.guid = g.value AND +m.is_from_me = 1`,
    );
    // Asked for each spelling: for a list of them, or DISTINCT, SQLite makes a table of its own, which takes ten times as long.
    this.chatsNamed = database.prepare(`${chats} WHERE c.chat_identifier = ?`);
    this.chatsNamedAnyCase = database.prepare(`${chats} WHERE c.chat_identifier = ? COLLATE NOCASE`);
    const joinedAt = schema.column('chat_message_join', 'j', 'message_date');
    this.newestOf = database.prepare(
      `SELECT j.message_id AS rowId, coalesce(${joinedAt}, 0) AS date FROM chat_message_join j WHERE j.chat_id = ?
       ORDER BY ${joinedAt} DESC, j.message_id DESC LIMIT 1`,
    );
    this.accounts = database
      .prepare<unknown[], string | null>(
        `SELECT DISTINCT ${text('account')} FROM message m
         WHERE m.ROWID > (SELECT max(ROWID) FROM message) - ${ACCOUNT_WINDOW} AND +m.is_from_me = 1
           AND ${m('service')} = 'iMessage' COLLATE NOCASE`,
      )
      .pluck();
    const met = schema.text('handle', 'h', 'service');
    this.handleServices = database
      .prepare<unknown[], string>(`SELECT ${met} FROM handle h WHERE ${met} IS NOT NULL AND h.id = ?`)
      .pluck();
    // Where people reach us. What two of them wrote to is no address of either; SMS rows may come from another device.
    this.reached = database
      .prepare<unknown[], string>(
        `SELECT ${text('destination_caller_id')} AS address FROM message m
         WHERE m.ROWID > (SELECT max(ROWID) FROM message) - ${ACCOUNT_WINDOW} AND +m.is_from_me = 0
           AND ${m('service')} = 'iMessage' AND ${text('destination_caller_id')} <> ''
         GROUP BY address HAVING count(DISTINCT m.handle_id) > 1`,
      )
      .pluck();
  }

  /** The highest ROWID of all messages now, 0 if there is none. */
  highestRowId(): number {
    return this.highest.get() ?? 0;
  }

  /** Rows above this ROWID that were sent or may turn out to have been, in its order, at most `limit`. */
  sentRowsAfter(rowId: number, limit: number, region: string, within?: RowsWithin): ChatDbSentRow[] {
    const rows =
      within === undefined || this.afterWithin === undefined
        ? this.after.all(rowId, limit)
        : this.afterWithin.all(rowId, within.untilRow, appleDate(within.until + 1), limit);
    return rows.map((raw) => sentRow(raw, region));
  }

  /** The same of then (Unix ms) and later, by their date. */
  sentRowsSince(sentAt: number, limit: number, region: string, within?: RowsWithin): ChatDbSentRow[] {
    const from = appleDate(sentAt);
    const rows =
      within === undefined
        ? this.dated?.all(from, limit)
        : this.datedWithin?.all(from, within.untilRow, appleDate(within.until + 1), limit);
    return (rows ?? []).map((raw) => sentRow(raw, region));
  }

  /** The same that are dated in one of these milliseconds (Unix ms), by their date. */
  sentRowsDatedAt(times: readonly number[], region: string): ChatDbSentRow[] {
    const rows = this.datedAt?.all(`[${times.map(appleDate).join()}]`) ?? [];
    return rows.map((raw) => sentRow(raw, region));
  }

  /** The outgoing row with this guid. */
  sentRow(guid: string, region: string): ChatDbSentRow | undefined {
    const raw = this.byGuid.get(guid);
    return raw === undefined ? undefined : sentRow(raw, region);
  }

  /** The rows with these guids that went out or may yet turn out to have. */
  sentRowsNamed(guids: readonly string[], region: string): ChatDbSentRow[] {
    return this.named.all(JSON.stringify(guids)).map((raw) => sentRow(raw, region));
  }

  /** Where the rows with these guids are, whosever they are. */
  placesOf(guids: readonly string[]): RowPlace[] {
    return this.places.all(JSON.stringify(guids));
  }

  /** The marks of the outgoing rows with these guids, by guid. */
  states(guids: readonly string[]): Map<string, RowState> {
    const rows = this.marks.all(JSON.stringify(guids));
    return new Map(
      rows.map((row) => [
        row.guid,
        {
          guid: row.guid,
          service: row.service === '' ? null : row.service,
          error: row.error ?? 0,
          isSent: row.isSent === 1,
          isDelivered: row.isDelivered === 1,
          isRead: row.isRead === 1,
          wasDowngraded: row.wasDowngraded === 1,
        },
      ]),
    );
  }

  /**
   * The chats that are the conversation of these keys (several: a group whose identifier changed), the one with the newest
   * message first. Only what chat.db has.
   */
  findChat(keys: readonly string[], region: string): ChatTarget[] {
    return keys
      .flatMap((key) => this.chatsOf(key, region))
      .map((chat) => ({ chat, newest: this.newestOf.get(chat.rowId) ?? { rowId: 0, date: 0 } }))
      .sort((a, b) => b.newest.date - a.newest.date || b.newest.rowId - a.newest.rowId)
      .map(({ chat, newest }) => ({
        guid: chat.guid,
        identifier: chat.identifier ?? '',
        style: chat.style === GROUP_STYLE ? 'group' : 'direct',
        service: chat.service ?? '',
        accountId: chat.accountId,
        newestRow: newest.rowId,
      }));
  }

  /** The name of a group that has these keys, as it is in the chat that was made last. */
  groupName(keys: readonly string[], region: string): string | null {
    const named = keys
      .flatMap((key) => this.chatsOf(key, region))
      .filter(({ name }) => (name ?? '').trim() !== '');
    return named.toSorted((a, b) => b.rowId - a.rowId)[0]?.name?.trim() ?? null;
  }

  private chatsOf(key: string, region: string): RawChat[] {
    const wantsGroup = isGroupKey(key);
    const matches = (chat: RawChat) =>
      (!wantsGroup || chat.style === GROUP_STYLE) && keyOf(chat.identifier, chat.style, region) === key;
    let found = this.spellingsOf(key, region)
      .flatMap((spelling) => this.chatsNamed.all(spelling))
      .filter(matches)
      .sort((a, b) => a.rowId - b.rowId);
    // An address that was stored with capitals: rare, and the table of chats is small.
    if (found.length === 0 && key.includes('@')) found = this.chatsNamedAnyCase.all(key).filter(matches);
    return found;
  }

  /** The services of a person, according to their handles. */
  servicesOf(key: string, region: string): string[] {
    return [
      ...new Set(this.spellingsOf(key, region).flatMap((spelling) => this.handleServices.all(spelling))),
    ];
  }

  private spellingsOf(key: string, region: string): readonly string[] {
    if (key.length > LONGEST_SPELLED) return [key];
    const asked = `${region} ${key}`;
    const known = this.spelled.get(asked);
    if (known !== undefined) return known;
    if (this.spelled.size >= SPELLINGS_KEPT) this.spelled.clear();
    const found = spellings(key, region);
    this.spelled.set(asked, found);
    return found;
  }

  /** The addresses that recent messages were sent from here or came to, without their `E:` and `P:`. */
  accountAddresses(): string[] {
    const written = [...this.accounts.all(), ...this.reached.all()];
    const addresses = written.map((account) => (account ?? '').replace(/^[ep]:/i, '').trim());
    return [...new Set(addresses)].filter((address) => address !== '');
  }
}

/** The canonical key of a chat; its style decides what its identifier is. */
export function keyOf(identifier: string | null, style: number | null, region: string): string | null {
  if (identifier === null || identifier === '') return null;
  return conversationKey(style === GROUP_STYLE ? `any;+;${identifier}` : `any;-;${identifier}`, region);
}

/** How chat.db may have written the identifier of a conversation: as its key, or as a number was dialled. */
function spellings(key: string, region: string): string[] {
  if (key.startsWith('any;+;')) return [key.slice('any;+;'.length)];
  if (!key.startsWith('+')) return [key];
  const number = parsePhoneNumber(key, { defaultCountry: 'US' });
  const national = number?.nationalNumber ?? key.slice(1);
  const dialled = number?.formatNational() ?? national;
  const digits = key.slice(1);
  const abroad = [digits, `00${digits}`, `011${digits}`];
  const candidates = [key, ...abroad, national, `0${national}`, dialled, dialled.replace(/\D/g, '')];
  return [...new Set(candidates)].filter((spelling) => conversationKey(spelling, region) === key);
}

/** A time (Unix ms) as chat.db has it. */
function appleDate(time: number): bigint {
  return BigInt(Math.trunc(time) - APPLE_EPOCH_MS) * BigInt(NS_IN_MS);
}

function sentRow(raw: RawSentRow, region: string): ChatDbSentRow {
  const body = bodyOf(raw);
  return {
    rowId: raw.rowId,
    guid: raw.guid,
    conversationKey: keyOf(raw.chatIdentifier, raw.chatStyle, region),
    handle: raw.handle,
    // A file's row has nothing to read and is not empty either: its mark stays.
    text: readableText(body) || (body.text ?? ''),
    service: raw.service ?? '',
    error: raw.error ?? 0,
    sentAt: raw.sentAt,
    isSent: raw.isSent === 1,
    isFinished: raw.isFinished === 1,
    isDelivered: raw.isDelivered === 1,
    isRead: raw.isRead === 1,
    dateDelivered: raw.dateDelivered,
    dateRead: raw.dateRead,
    wasDowngraded: raw.wasDowngraded === 1,
    isEmpty: raw.isEmpty === 1,
    joined: raw.chatGuid !== null,
    ...(raw.isFromMe === 1 ? {} : { isUndecided: true }),
  };
}
