import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { type AppleDatabase, appleDate, appleGuid, type Columns } from './AppleDatabase.js';
import type { ChatService, SimulatedChat } from './SimulatedChats.js';
import { ATTACHMENT_MARK, encodeAttributedBody } from './typedstreamEncoder.js';

/** The stage of an outgoing message. `first`: its row does not show yet that it was sent. */
export type SentStage = 'first' | 'inserted' | 'sent' | 'delivered' | 'read';

/**
 * How Messages writes the row of an outgoing message before it sets `is_from_me` (openclaw/imsg #80). `anonymous`:
 * without a handle, as observed; `recipient`: with the handle of the recipient, like a message from there, but
 * unfinished; `none`: `is_from_me` is set immediately.
 */
export type FirstState = 'anonymous' | 'recipient' | 'none';

interface NewSent {
  text: string | readonly string[];
  service: ChatService;
  /** Unix ms; now if left out. */
  date: number | undefined;
  chat: SimulatedChat | null;
  recipient: string | null;
  /** An empty row of no chat (imsg #90): Messages took the text and will never send it. */
  ghost: boolean;
  account: string;
  firstState: FirstState;
  /** A file that is sent instead of a text: its location when Messages took it. */
  file?: string | undefined;
}

/** An outgoing message and its later changes; each step is a separate commit. */
export class SimulatedSent {
  readonly guid = appleGuid();
  private lastRowId: number;
  private readonly fileRows: number[] = [];
  private readonly recipient: number;

  /** Writes the row in its first state, with its text and chat. */
  constructor(
    private readonly database: AppleDatabase,
    message: NewSent,
  ) {
    const { chat, recipient, ghost } = message;
    const service = ghost ? 'SMS' : message.service;
    const date = message.date === undefined ? database.now() : appleDate(message.date);
    this.recipient = recipient === null ? 0 : database.handle(recipient, service);
    const firstState = ghost ? 'none' : message.firstState;
    this.lastRowId = database.insert('message', {
      guid: this.guid,
      handle_id: firstState === 'anonymous' ? 0 : this.recipient,
      service,
      account: message.account,
      date,
      is_from_me: firstState === 'none' ? 1 : 0,
      is_finished: 0,
      is_sent: 0,
      is_empty: ghost ? 1 : 0,
      part_count: ghost ? 0 : 1,
    });
    if (ghost) return;
    const transferGuids = message.file === undefined ? [] : [`at_0_${this.guid}`];
    const text = message.file === undefined ? message.text : ATTACHMENT_MARK;
    this.change({
      ...(database.version >= 26 ? {} : { text: typeof text === 'string' ? text : text.join('') }),
      attributedBody: encodeAttributedBody(text, { transferGuids }),
    });
    if (message.file !== undefined) this.join(message.file, transferGuids[0] ?? '');
    if (chat === null) return;
    database.transaction(() =>
      database.insert('chat_message_join', {
        chat_id: chat.rowId,
        message_id: this.rowId,
        message_date: date,
      }),
    );
  }

  /** Its ROWID as it is now, for a rebuild of chat.db gives out others; its last one if it was deleted. */
  get rowId(): number {
    this.lastRowId = this.database.rowIdOf(this.guid) ?? this.lastRowId;
    return this.lastRowId;
  }

  /** Messages marks it as outgoing: not sent yet. */
  settle(): this {
    return this.change({ is_from_me: 1, handle_id: this.recipient });
  }

  /** Apple has accepted it. */
  markSent(): this {
    for (const row of this.fileRows) this.database.update('attachment', row, { transfer_state: 5 });
    return this.change({ is_finished: 1, is_sent: 1, error: 0 });
  }

  markDelivered(at = Date.now()): this {
    return this.change({ is_delivered: 1, date_delivered: appleDate(at) });
  }

  markRead(at = Date.now()): this {
    return this.change({ is_read: 1, date_read: appleDate(at) });
  }

  /** "Not Delivered"; 22: the recipient is not on iMessage. */
  markFailed(error = 22): this {
    return this.change({ is_finished: 1, is_sent: 0, error });
  }

  /** It was sent as SMS after all. */
  downgrade(): this {
    return this.change({ is_finished: 1, is_sent: 1, error: 0, was_downgraded: 1, service: 'SMS' });
  }

  /** Messages keeps its own copy. */
  private join(file: string, guid: string): void {
    const { database } = this;
    const name = basename(file);
    const row = database.insert('attachment', {
      guid,
      original_guid: guid,
      filename: `~/Library/Messages/Attachments/00/00/${guid}/${name}`,
      transfer_name: name,
      total_bytes: statSync(file).size,
      transfer_state: 3,
      is_outgoing: 1,
      hide_attachment: 0,
    });
    this.fileRows.push(row);
    database.transaction(() =>
      database.insert('message_attachment_join', { message_id: this.rowId, attachment_id: row }),
    );
  }

  /** In one commit with the look at its ROWID, as another process may rebuild chat.db at any time. */
  private change(columns: Columns): this {
    const { database } = this;
    database.transaction(() => database.update('message', this.rowId, columns));
    return this;
  }
}
