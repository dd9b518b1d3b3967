import { decodeAttributedBody, isAppLine, type TextRun } from '../../../messages/chatdb/attributedBody.js';
import type { OpenChatDb } from '../../../messages/chatdb/ChatDbConnection.js';
import type { ChatRow } from '../../../messages/chatdb/chatRow.js';
import { identityOf, senderOf } from '../../../messages/chatdb/classify.js';
import { bodyFromHistory, readMessageSummary } from '../../../messages/chatdb/messageSummary.js';
import { accountAddress, saidIn } from '../../../messages/chatdb/ownership.js';
import { isTakenBack, readableText } from '../../../messages/chatdb/rowBody.js';
import { MessageRows } from '../../../messages/chatdb/rows.js';
import { GROUP_STYLE, hasTable, mimeTypeColumn } from '../../../messages/chatdb/schema.js';
import { canonicalAddress } from '../../../messages/conversationId.js';
import type { Clock } from '../../../system/clock.js';
import {
  isIMessage,
  type Survey,
  type SurveyedBody,
  type SurveyedChat,
  type SurveyedFile,
  type SurveyedRow,
} from './Survey.js';

/** The newest so many rows are looked at, and as many chats and files. */
export const WINDOW_ROWS = 5_000;
const MOST_CHATS = 2_000;
const MOST_FILES = 5_000;
const MOST_DELETED = 1_000;
const PAGE_ROWS = 200;
/** Reading ends after this long, ms, whatever is left: bodies may be large. */
const TIME_BUDGET_MS = 10_000;
/** Longer texts are compared by their beginning. */
const MOST_CHARACTERS = 2_000;

const FILE_MARK = '\ufffc';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PLAIN_NUMBER = /^\d{7,}$/;
const MACRO = /\$\(kIM[A-Z]\w*/;
/** What looks like a constant of Apple's in brackets and is not of the form that is known. */
const OTHER_MACRO = /\$\((?!kIM[A-Z])(?:k[A-Z]|IM[A-Z]|__kIM)\w{6,}\)/;

/**
 * Reads what the assumptions are judged by: the newest rows as the agent itself reads them, chats and files. Every query goes by an
 * index or is bounded; newest rows first, and no more than the time allows. Throws SqliteError.
 */
export function readSurvey(
  open: OpenChatDb,
  options: { clock: Clock; region: string; own: readonly string[] },
): Survey {
  const { clock, region } = options;
  const { database, schema } = open;
  const { rows, isCut } = readRows(open, clock, region);
  const own = new Set(options.own.map((address) => canonicalAddress(address, region)));
  for (const { row } of rows) {
    const address = isIMessage(row) ? accountAddress(row.account, region) : null;
    if (address !== null) own.add(address);
  }
  const from = rows[0]?.row.rowId ?? 0;
  const texts = (sql: string): string[] => database.prepare<unknown[], string>(sql).pluck().all(from);
  const numbers = (sql: string): number[] => database.prepare<unknown[], number>(sql).pluck().all(from);
  const isDelivered = `+m.is_from_me = 1 AND +${schema.column('message', 'm', 'is_delivered')} = 1`;
  return {
    now: clock.now(),
    region,
    own,
    rows,
    isCut,
    chats: readChats(open, region),
    files: readFiles(open, from),
    accountGuids: new Set(
      schema.has('message', 'account_guid')
        ? texts(
            "SELECT DISTINCT account_guid FROM message WHERE ROWID >= ? AND typeof(account_guid) = 'text'",
          )
        : [],
    ),
    deliveredIn: new Set(
      numbers(`SELECT DISTINCT j.chat_id FROM message m CROSS JOIN chat_message_join j ON j.message_id = m.ROWID
        WHERE m.ROWID >= ? AND ${isDelivered}`),
    ),
    issued: issuedRowId(open),
    highest: rows.at(-1)?.row.rowId ?? 0,
    deleted: readDeleted(open),
    has: (table, column) => schema.has(table, column),
  };
}

function readRows(open: OpenChatDb, clock: Clock, region: string): { rows: SurveyedRow[]; isCut: boolean } {
  const messages = new MessageRows(open);
  const page = open.database
    .prepare<unknown[], number>('SELECT ROWID FROM message WHERE ROWID < ? ORDER BY ROWID DESC LIMIT +?')
    .pluck();
  const end = clock.monotonic() + TIME_BUDGET_MS;
  const newestFirst: SurveyedRow[] = [];
  let before = Number.MAX_SAFE_INTEGER;
  while (newestFirst.length < WINDOW_ROWS) {
    const rowIds = page.all(before, PAGE_ROWS);
    const oldest = rowIds.at(-1);
    if (oldest === undefined) break;
    const isCut = clock.monotonic() > end;
    if (isCut) return { rows: newestFirst.reverse(), isCut };
    newestFirst.push(
      ...messages
        .rowsAmong(rowIds)
        .reverse()
        .map((row) => surveyed(row, messages, region)),
    );
    before = oldest;
  }
  return { rows: newestFirst.reverse(), isCut: false };
}

function surveyed(row: ChatRow, messages: MessageRows, region: string): SurveyedRow {
  const files = row.hasAttachments === 1 ? messages.attachments(row.rowId) : [];
  const { text: _text, ...identity } = identityOf(row, files, region);
  return {
    row: { ...row, text: null, attributedBody: null, subject: null, summary: null, payload: null },
    body: surveyedBody(row, files.length),
    identity,
    person: row.isFromMe === 1 ? null : senderOf(row, region),
  };
}

function surveyedBody(row: ChatRow, files: number): SurveyedBody {
  const decoded = row.attributedBody === null ? undefined : decodeAttributedBody(row.attributedBody);
  const raw = `${decoded?.text ?? ''}\n${row.text ?? ''}`;
  const summary = readMessageSummary(row.summary);
  const { body, words } = saidIn(row);
  const history = summary.versions.size === 0 ? null : bodyFromHistory(summary);
  const readable = readableText(body);
  const runs = decoded?.runs ?? [];
  return {
    words: words.slice(0, MOST_CHARACTERS),
    isDecoded: decoded !== undefined && !decoded.fallback,
    parts: [...new Set(runs.flatMap(({ attributes }) => attributes.messagePart ?? []))],
    unnumbered: runs.length > 1 ? runs.filter(({ attributes }) => attributes.messagePart === null).length : 0,
    ...seamsOf(decoded?.text ?? '', runs),
    hasMacro: MACRO.test(raw),
    hasOtherMacro: OTHER_MACRO.test(raw),
    isAppLine: isAppLine(decoded?.text ?? row.text),
    original: [...summary.original],
    retracted: [...summary.retracted],
    hasVersions: summary.versions.size > 0,
    historyFits: history === null ? null : readableText(history) === readable,
    isEmptied: readable === '' && files === 0 && !raw.includes(FILE_MARK),
    isTakenBack: isTakenBack(row, body, readable, files),
  };
}

/** The boundaries of texts of different parts, and the files within a part that has text. */
function seamsOf(
  text: string,
  runs: readonly TextRun[],
): Pick<SurveyedBody, 'markedSeams' | 'bareSeams' | 'inline'> {
  const said = runs.map(({ start, length, attributes }) => ({
    part: attributes.messagePart,
    guid: attributes.transferGuid,
    isMark: text.slice(start, start + length).includes(FILE_MARK),
    hasText:
      text
        .slice(start, start + length)
        .replaceAll(FILE_MARK, '')
        .trim() !== '',
  }));
  const withText = new Set(said.flatMap(({ part, hasText }) => (hasText && part !== null ? [part] : [])));
  let [markedSeams, bareSeams, isMarked] = [0, 0, false];
  let last: number | null = null;
  for (const { part, isMark, hasText } of said) {
    if (hasText && part !== null) {
      if (last !== null && last !== part) {
        if (isMarked) markedSeams++;
        else bareSeams++;
      }
      [last, isMarked] = [part, false];
    }
    isMarked ||= isMark;
  }
  const inline = said.flatMap(({ part, guid, isMark }) =>
    isMark && part !== null && withText.has(part) ? [guid] : [],
  );
  return { markedSeams, bareSeams, inline };
}

function readChats({ database, schema }: OpenChatDb, region: string): SurveyedChat[] {
  const text = (column: string) => schema.text('chat', 'c', column);
  const found = database
    .prepare<
      unknown[],
      Record<'rowId' | 'style', number | null> &
        Record<'identifier' | 'service' | 'accountId' | 'groupId' | 'original', string | null>
    >(
      `SELECT c.ROWID AS rowId, ${schema.column('chat', 'c', 'style')} AS style, ${text('chat_identifier')} AS identifier,
         ${text('service_name')} AS service, ${text('account_id')} AS accountId, ${text('group_id')} AS groupId,
         ${text('original_group_id')} AS original FROM chat c ORDER BY c.ROWID DESC LIMIT ${MOST_CHATS}`,
    )
    .all();
  const people = database
    .prepare<unknown[], string>(
      'SELECT CAST(h.id AS TEXT) FROM chat_handle_join j CROSS JOIN handle h ON h.ROWID = j.handle_id WHERE j.chat_id = ?',
    )
    .pluck();
  const lookups = lookupsOf(database);
  return found.map(({ rowId, style, identifier, service, accountId, groupId, original }) => ({
    rowId: rowId ?? 0,
    isGroup: style === GROUP_STYLE,
    identifier: canonicalAddress(identifier ?? '', region),
    isPlainNumber: PLAIN_NUMBER.test(identifier ?? ''),
    service,
    accountId: accountId === '' ? null : accountId,
    groupIds: [...new Set([groupId, original])].flatMap((id) =>
      id !== null && UUID.test(id) ? [id.toUpperCase()] : [],
    ),
    lookups: lookups.get(rowId ?? 0) ?? [],
    people:
      style === GROUP_STYLE
        ? [...new Set(people.all(rowId).map((handle) => canonicalAddress(handle, region)))].sort()
        : [],
  }));
}

/** What `chat_lookup` finds each chat by; empty before macOS 15. */
function lookupsOf(database: OpenChatDb['database']): Map<number, string[]> {
  const columns = database.prepare<unknown[], string>("SELECT name FROM pragma_table_info('chat_lookup')");
  const names = columns.pluck().all();
  const byChat = new Map<number, string[]>();
  if (!names.includes('identifier') || !names.includes('chat')) return byChat;
  const found = database
    .prepare<unknown[], { name: string; chat: number }>(
      `SELECT identifier AS name, chat FROM chat_lookup WHERE typeof(identifier) = 'text' AND identifier <> ''
         AND typeof(chat) = 'integer' ORDER BY rowid DESC LIMIT ${4 * MOST_CHATS}`,
    )
    .all();
  for (const { name, chat } of found) byChat.set(chat, [...(byChat.get(chat) ?? []), name]);
  return byChat;
}

function readFiles({ database, schema }: OpenChatDb, fromRow: number): SurveyedFile[] {
  const text = (column: string) => schema.text('attachment', 'a', column);
  return database
    .prepare<
      unknown[],
      Record<'guid' | 'mimeType' | 'statedMimeType', string | null> &
        Record<'transferState' | 'hasPath' | 'isHidden', number | null>
    >(
      `SELECT CAST(a.guid AS TEXT) AS guid, ${mimeTypeColumn(schema, 'a')} AS mimeType, ${text('mime_type')} AS statedMimeType,
         ${schema.column('attachment', 'a', 'transfer_state')} AS transferState, coalesce(${text('filename')}, '') <> '' AS hasPath,
         coalesce(${schema.column('attachment', 'a', 'hide_attachment')}, 0) = 1
           OR coalesce(${text('transfer_name')}, '') LIKE '%.pluginPayloadAttachment' AS isHidden
       FROM message m CROSS JOIN message_attachment_join j ON j.message_id = m.ROWID CROSS JOIN attachment a ON a.ROWID = j.attachment_id
       WHERE m.ROWID >= ? ORDER BY m.ROWID DESC LIMIT ${MOST_FILES}`,
    )
    .all(fromRow)
    .map(({ guid, mimeType, statedMimeType, transferState, hasPath, isHidden }) => ({
      guid: guid ?? '',
      mimeType,
      statedMimeType: statedMimeType === '' ? null : statedMimeType,
      transferState,
      hasPath: hasPath === 1,
      isHidden: isHidden === 1,
    }));
}

function issuedRowId({ database }: OpenChatDb): number | null {
  if (database.prepare("SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_sequence'").get() === undefined)
    return null;
  const issued = database.prepare<unknown[], number>(
    "SELECT seq FROM main.sqlite_sequence WHERE name = 'message'",
  );
  return issued.pluck().get() ?? null;
}

function readDeleted({ database }: OpenChatDb): Survey['deleted'] {
  if (!hasTable(database, 'chat_recoverable_message_join')) return null;
  const found = database
    .prepare<unknown[], { kept: number; stillJoined: number | null }>(
      `SELECT count(*) AS kept, sum(EXISTS (SELECT 1 FROM chat_message_join j WHERE j.message_id = d.message_id AND j.chat_id = d.chat_id)) AS stillJoined
       FROM (SELECT message_id, chat_id FROM chat_recoverable_message_join ORDER BY rowid DESC LIMIT ${MOST_DELETED}) d`,
    )
    .get();
  return { kept: found?.kept ?? 0, stillJoined: found?.stillJoined ?? 0 };
}
