import { decodeAttributedBody } from '../../messages/chatdb/attributedBody.js';
import { type AppleDatabase, appleGuid, type Columns, type SqlValue } from './AppleDatabase.js';
import { encodeAttributedBody } from './typedstreamEncoder.js';

interface RewriteOptions {
  /** The new guid; generated if left out. */
  guid?: string;
  /** The chat that it is joined to instead of those of the original. */
  chatRowId?: number;
  /** Columns that differ from the original's, as in one that was edited. */
  columns?: Columns;
  /** `shared`: joined to the same attachment rows. `renamed` (default): to separate rows under other guids. */
  files?: 'shared' | 'renamed';
}

interface Row {
  [column: string]: SqlValue;
}

/** Tables whose rows name a message by its ROWID. */
const NAMING_MESSAGES = ['chat_message_join', 'message_attachment_join'] as const;

/** Changes to existing rows: iCloud writes them again, and a rebuild reassigns their ROWIDs. */
export class SimulatedRewrites {
  constructor(private readonly database: AppleDatabase) {}

  /** The same message once more under a new guid and ROWID: same chat, handle, text and date, in one commit. */
  rewrite(guid: string, options: RewriteOptions = {}): { rowId: number; guid: string } {
    const { database } = this;
    return database.transaction(() => {
      const [original] = database.all<Row>('SELECT ROWID AS row_id, * FROM message WHERE guid = ?', guid);
      if (original === undefined) throw new Error(`there is no message ${guid}`);
      const { row_id: from, ROWID: _rowId, ...columns } = original;
      const copy = options.guid ?? appleGuid();
      const rowId = database.insert('message', { ...columns, guid: copy, ...options.columns });
      this.joinChats(Number(from), rowId, original.date ?? 0, options.chatRowId);
      const files = this.joinFiles(Number(from), rowId, copy, options.files ?? 'renamed');
      if (files.length > 0 && original.attributedBody instanceof Buffer) {
        const { text, runs } = decodeAttributedBody(original.attributedBody);
        const stretches = runs.map(({ start, length }) => (text ?? '').slice(start, start + length));
        const attributedBody = encodeAttributedBody(stretches, { transferGuids: files });
        database.update('message', rowId, { attributedBody });
      }
      return { rowId, guid: copy };
    });
  }

  /** Reassigns all ROWIDs of messages in one commit: the rows in the order of `order`, from 1. */
  rebuild(order: (rowIds: readonly number[]) => readonly number[]): void {
    const { database } = this;
    database.withoutForeignKeys(() => {
      const rowIds = database.all<{ id: number }>('SELECT ROWID AS id FROM message ORDER BY ROWID');
      const ids = rowIds.map(({ id }) => id);
      const places = order(ids);
      // Through numbers below zero, so that no two rows have one at the same time.
      for (const [index, id] of places.entries()) this.renumber(id, -(index + 1));
      for (const index of places.keys()) this.renumber(-(index + 1), index + 1);
      database.setSequence('message', ids.length);
    });
  }

  private renumber(from: number, to: number): void {
    this.database.run('UPDATE message SET ROWID = ? WHERE ROWID = ?', to, from);
    for (const table of NAMING_MESSAGES)
      this.database.run(`UPDATE ${table} SET message_id = ? WHERE message_id = ?`, to, from);
  }

  private joinChats(from: number, to: number, date: SqlValue, chatRowId: number | undefined): void {
    const joined = this.database.all<{ chat: number }>(
      'SELECT chat_id AS chat FROM chat_message_join WHERE message_id = ?',
      from,
    );
    const chats = chatRowId === undefined ? joined.map(({ chat }) => chat) : [chatRowId];
    for (const chat of chats)
      this.database.insert('chat_message_join', { chat_id: chat, message_id: to, message_date: date });
  }

  private joinFiles(from: number, to: number, guid: string, how: 'shared' | 'renamed'): string[] {
    const { database } = this;
    const files = database.all<Row>(
      `SELECT a.ROWID AS row_id, a.* FROM message_attachment_join j JOIN attachment a ON a.ROWID = j.attachment_id
       WHERE j.message_id = ? ORDER BY a.ROWID`,
      from,
    );
    return files.map(({ row_id: rowId, ROWID: _rowId, ...file }, index) => {
      const renamed = `at_${index}_${guid}`;
      const attachment =
        how === 'shared'
          ? Number(rowId)
          : database.insert('attachment', { ...file, guid: renamed, original_guid: renamed });
      database.insert('message_attachment_join', { message_id: to, attachment_id: attachment });
      return how === 'shared' ? String(file.guid) : renamed;
    });
  }
}
