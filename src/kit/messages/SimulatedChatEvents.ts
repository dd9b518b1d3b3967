import { APPLE_EPOCH_MS } from '../../messages/chatdb/schema.js';
import { type AppleDatabase, appleDate, appleGuid, type Columns } from './AppleDatabase.js';
import { encodeBinaryPlist, Real } from './binaryPlist.js';
import type { SimulatedChat, SimulatedChats } from './SimulatedChats.js';
import { SimulatedIncoming, STAGES } from './SimulatedIncoming.js';
import { ATTACHMENT_MARK, encodeAttributedBody } from './typedstreamEncoder.js';

/** associated_message_type minus 2000 or 3000, by its meaning. */
export const TAPBACKS = [
  'love',
  'like',
  'dislike',
  'laugh',
  'emphasize',
  'question',
  'emoji',
  'sticker',
] as const;

interface NewReaction {
  /** The guid of the message that it is on, and of which part. */
  to: string;
  part?: number;
  from: string;
  chat: SimulatedChat;
  kind: (typeof TAPBACKS)[number];
  emoji?: string;
  remove?: boolean;
  /** Unix ms. */
  date?: number;
}

/** What becomes of a group; `by` null is ourselves. */
type GroupChange = { by: string | null; date?: number } & (
  | { kind: 'added' | 'removed'; member: string }
  | { kind: 'renamed'; title: string | null }
  | { kind: 'left' | 'photo' | 'photoRemoved' | 'background' }
);

const LINK_BALLOON = 'com.apple.messages.URLBalloonProvider';
const APP_BALLOON = 'com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000';
/** The forms in which a message that was taken back is written: macOS 13 to 15; 26 with is_empty; 26 with the summary alone. */
export type UnsendForm = 'dated' | 'emptied' | 'summary';

/** What `message_summary_info` says of a message. `original`: how many parts it was written with; left out: not said. */
interface NewSummary {
  original?: number;
  retracted?: readonly number[];
  /** The versions of a part, oldest first, with when each was written (Unix ms). */
  versions?: Readonly<Record<number, readonly { text: string; at: number }[]>>;
}

/** `message_summary_info` as Messages writes it: a binary property list. */
export function encodeSummary({ original, retracted = [], versions = {} }: NewSummary): Buffer {
  const range = (part: number) => [String(part), { lo: part, le: 1 }] as const;
  const history = Object.entries(versions).map(([part, all]) => [
    part,
    all.map(({ text, at }) => ({
      d: new Real((at - APPLE_EPOCH_MS) / 1000),
      t: encodeAttributedBody(text, { immutable: true }),
    })),
  ]);
  return encodeBinaryPlist({
    ust: true,
    ...(original === undefined
      ? {}
      : { otr: Object.fromEntries(Array.from({ length: original }, (_, part) => range(part))) }),
    ...(retracted.length === 0 ? {} : { rp: retracted }),
    ...(history.length === 0
      ? {}
      : { ec: Object.fromEntries(history), ep: Object.keys(versions).map(Number) }),
  });
}

/** Events in conversations other than messages, written as Messages writes them (docs/facts.md#values). */
export class SimulatedChatEvents {
  constructor(
    private readonly database: AppleDatabase,
    private readonly chats: SimulatedChats,
    private readonly account: string,
  ) {}

  /** A tapback, put on or taken off; taking one off removes the row of putting it on. */
  react(reaction: NewReaction): { rowId: number; guid: string } {
    const { to, part = 0, from, chat, kind, emoji = null, remove = false } = reaction;
    const index = TAPBACKS.indexOf(kind);
    if (remove) this.forget(`p:${part}/${to}`, 2000 + index);
    return this.insert(reaction, chat, from, {
      text: `${remove ? 'Removed' : 'Reacted'} “…”`,
      associated_message_type: (remove ? 3000 : 2000) + index,
      associated_message_guid: `p:${part}/${to}`,
      associated_message_emoji: emoji,
      associated_message_range_length: 1,
    });
  }

  /** A message is edited by its sender: the same row, another text, or several as separate parts. */
  edit(message: { rowId: number }, text: string | readonly string[], at = Date.now()): void {
    const { database } = this;
    database.update('message', message.rowId, {
      text: database.version >= 26 ? null : typeof text === 'string' ? text : text.join(''),
      attributedBody: encodeAttributedBody(text),
      date_edited: appleDate(at),
    });
  }

  /** A device writes down what is said in an audio message: the same row, an attribute more at its file. */
  transcribe(message: SimulatedIncoming, transcription: string): void {
    const [file] = message.attachments;
    const body = { transferGuids: file === undefined ? [] : [file.guid], transcriptions: [transcription] };
    this.database.update('message', message.rowId, {
      attributedBody: encodeAttributedBody(ATTACHMENT_MARK, body),
    });
  }

  /** A message is taken back by its sender. macOS 26 sets no date_retracted. */
  unsend(message: { rowId: number }, at = Date.now(), form?: UnsendForm): void {
    const { database } = this;
    const written = form ?? (database.version >= 26 ? 'emptied' : 'dated');
    const dates = {
      dated: { date_retracted: appleDate(at), date_edited: appleDate(at) },
      emptied: {},
      summary: { date_retracted: 0, date_edited: appleDate(at) },
    };
    database.update('message', message.rowId, {
      text: null,
      attributedBody: null,
      ...(written === 'summary' ? {} : { is_empty: 1, part_count: 0 }),
      message_summary_info: encodeSummary({ retracted: [0] }),
      ...dates[written],
    });
  }

  /** A message of several parts of which some are taken back: `left` is the body without them, of `original` parts. */
  unsendParts(
    message: { rowId: number },
    retracted: readonly number[],
    left: { text: string; transferGuids?: readonly string[]; original?: number },
    at = Date.now(),
  ): void {
    const { database } = this;
    const { text, transferGuids = [], original } = left;
    database.update('message', message.rowId, {
      text: database.version >= 26 ? null : text,
      attributedBody: encodeAttributedBody(text, { transferGuids }),
      message_summary_info: encodeSummary({ retracted, ...(original === undefined ? {} : { original }) }),
      date_edited: appleDate(at),
      ...(database.version >= 26 ? {} : { date_retracted: appleDate(at) }),
    });
  }

  /** A notice in a group. */
  changeGroup(chat: SimulatedChat, change: GroupChange): { rowId: number; guid: string } {
    return this.insert(change, chat, change.by, this.groupColumns(chat, change));
  }

  /** A link with its preview in a separate row, as for a text around the link. */
  sendLink(
    from: string,
    text: string,
    link: string,
    options: { date?: number; previewFirst?: boolean } = {},
  ) {
    const chat = this.chats.direct(from);
    const date = options.date ?? Date.now();
    const write = (message: string, columns: Columns) =>
      this.receive({ from, text: message, date, columns }, chat);
    const preview = () => {
      const columns = { balloon_bundle_id: LINK_BALLOON };
      const attachments = [{ name: 'x.pluginPayloadAttachment', mimeType: null, hidden: true }];
      return this.receive({ from, text: link, date, columns, attachments }, chat);
    };
    const first = options.previewFirst === true ? preview() : undefined;
    const message = write(text, {});
    return { message, preview: first ?? preview() };
  }

  /** A message of an app: a balloon, whose text is its placeholder. */
  sendApp(from: string, app: string, date?: number): SimulatedIncoming {
    const columns = { balloon_bundle_id: `${APP_BALLOON}:${app}` };
    const text = '\ufffd';
    return this.receive(
      { from, text, columns, ...(date === undefined ? {} : { date }) },
      this.chats.direct(from),
    );
  }

  /** A text that was scheduled on this Mac: it waits in the conversation. */
  sendLater(chat: SimulatedChat, text: string, date = Date.now()): { rowId: number; guid: string } {
    return this.insert({ date }, chat, null, {
      text,
      schedule_type: 2,
      schedule_state: 1,
      is_sent: 0,
      is_finished: 0,
    });
  }

  /** A person deletes a message: it leaves its chat and stays for 30 days (since macOS 13). */
  recentlyDelete(message: { rowId: number }): void {
    const { database } = this;
    database.transaction(() => {
      const join = database.get<number>(
        'SELECT ROWID FROM chat_message_join WHERE message_id = ?',
        message.rowId,
      );
      const chat = database.get<number>(
        'SELECT chat_id FROM chat_message_join WHERE message_id = ?',
        message.rowId,
      );
      if (join === undefined || chat === undefined) return;
      database.delete('chat_message_join', join);
      database.insert('chat_recoverable_message_join', {
        chat_id: chat,
        message_id: message.rowId,
        delete_date: Number(appleDate(Date.now()) / 1_000_000_000n),
      });
    });
  }

  /** A message to our own address: a sent row, and a received one. `receipt`: the first has no text. */
  writeToSelf(
    address: string,
    text: string,
    options: { sentFrom?: string; date?: number; receipt?: boolean } = {},
  ): { sent: { rowId: number; guid: string }; received: SimulatedIncoming } {
    const { sentFrom = address, date = Date.now(), receipt = false } = options;
    const chat = this.chats.direct(address);
    const account = sentFrom.includes('@') ? `E:${sentFrom}` : `P:${sentFrom}`;
    const sent = this.insert({ date }, chat, null, {
      account,
      destination_caller_id: sentFrom,
      is_sent: 1,
      ...(receipt ? {} : { text, attributedBody: encodeAttributedBody(text) }),
    });
    const columns = { account: this.account, destination_caller_id: address };
    return { sent, received: this.receive({ from: sentFrom, text, date, columns }, chat) };
  }

  private receive(message: ConstructorParameters<typeof SimulatedIncoming>[1], chat: SimulatedChat) {
    const incoming = new SimulatedIncoming(this.database, message, chat);
    for (const stage of STAGES) incoming.write(stage);
    return incoming;
  }

  private groupColumns(chat: SimulatedChat, change: GroupChange): Columns {
    switch (change.kind) {
      case 'added':
      case 'removed':
        return {
          item_type: 1,
          group_action_type: change.kind === 'added' ? 0 : 1,
          other_handle: this.database.handle(change.member, chat.service),
        };
      case 'renamed':
        return { item_type: 2, group_title: change.title };
      case 'left':
        return { item_type: 3, group_action_type: 0 };
      case 'photo':
        return { item_type: 3, group_action_type: 1 };
      case 'photoRemoved':
        return { item_type: 3, group_action_type: 2 };
      case 'background':
        return { item_type: 3, group_action_type: 3 };
    }
  }

  /** A row in a chat, in one commit; `from` null is ourselves. */
  private insert(
    when: { date?: number },
    chat: SimulatedChat,
    from: string | null,
    columns: Columns,
  ): { rowId: number; guid: string } {
    const { database } = this;
    const guid = appleGuid();
    const date = appleDate(when.date ?? Date.now());
    return database.transaction(() => {
      const rowId = database.insert('message', {
        guid,
        handle_id: from === null ? 0 : database.handle(from, chat.service),
        service: chat.service,
        account: this.account,
        date,
        is_from_me: from === null ? 1 : 0,
        is_finished: 1,
        ...columns,
      });
      database.insert('chat_message_join', { chat_id: chat.rowId, message_id: rowId, message_date: date });
      return { rowId, guid };
    });
  }

  private forget(target: string, type: number): void {
    const { database } = this;
    const sql = 'SELECT ROWID FROM message WHERE associated_message_guid = ? AND associated_message_type = ?';
    const rowId = database.get<number>(sql, target, type);
    if (rowId !== undefined) database.delete('message', rowId);
  }
}
