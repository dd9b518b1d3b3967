import { AppleDatabase, appleDate, appleGuid, type Columns } from './AppleDatabase.js';
import type { AppleVersion, SchemaOptions } from './appleSchema.js';
import { SimulatedChatEvents } from './SimulatedChatEvents.js';
import { type ChatService, type NewChat, type SimulatedChat, SimulatedChats } from './SimulatedChats.js';
import { type NewIncoming, SimulatedIncoming, STAGES, type Stage } from './SimulatedIncoming.js';
import { SimulatedRewrites } from './SimulatedRewrites.js';
import { type FirstState, type SentStage, SimulatedSent } from './SimulatedSent.js';
import { encodeAttributedBody } from './typedstreamEncoder.js';

export interface ChatDbWriterOptions extends SchemaOptions {
  /** The macOS whose chat.db is written; 15 unless given. */
  version?: AppleVersion;
  /** The account of outgoing messages, as `message.account` has it. */
  account?: string;
}

export interface SentMessage {
  /** Several: separate parts. */
  text: string | readonly string[];
  /** The absolute path of a file that is sent instead of the text. */
  file?: string;
  /** The chat it goes to, or its guid. */
  chat?: SimulatedChat | string;
  /** Whom it goes to, where there is no chat yet: one is made, as Messages does. */
  handle?: string;
  service?: ChatService;
  /** Unix ms. */
  date?: number;
  ghost?: boolean;
  /** How far it comes at once; `sent` unless given. */
  upTo?: SentStage;
  /** How its row is written first; `anonymous` unless given. */
  firstState?: FirstState;
}

const ACCOUNT = 'E:operator@example.com';

/**
 * Plays Messages' part in chat.db: a real SQLite file with Apple's schema in WAL mode, written in the commits in
 * which Messages writes it. Made if it is missing. Synchronous; several processes may write at the same time.
 */
export class ChatDbWriter {
  readonly chats: SimulatedChats;
  readonly happenings: SimulatedChatEvents;
  readonly rewrites: SimulatedRewrites;
  private readonly database: AppleDatabase;
  private readonly account: string;

  constructor(path: string, options: ChatDbWriterOptions = {}) {
    this.database = new AppleDatabase(path, options.version ?? 15, options);
    this.chats = new SimulatedChats(this.database);
    this.rewrites = new SimulatedRewrites(this.database);
    this.account = options.account ?? ACCOUNT;
    this.happenings = new SimulatedChatEvents(this.database, this.chats, this.account);
  }

  get path(): string {
    return this.database.path;
  }

  get version(): AppleVersion {
    return this.database.version;
  }

  /** The clock of this Mac is set so many ms ahead of ours; the dates of what is written from now on follow it. */
  setClock(offsetMs: number): void {
    this.database.clockOffsetMs = offsetMs;
  }

  addChat(chat: NewChat): SimulatedChat {
    return this.chats.add(chat);
  }

  /** The direct chat with this address, made if there is none. */
  directChat(address: string, service?: ChatService): SimulatedChat {
    return this.chats.direct(address, service);
  }

  groupChat(
    participants: readonly string[],
    options: Omit<NewChat, 'style' | 'participants'> = {},
  ): SimulatedChat {
    return this.chats.add({ ...options, style: 'group', participants });
  }

  /** A message comes in: all stages, or those that are named; the rest is left to the caller. */
  receive(message: NewIncoming & { stages?: readonly Stage[] }): SimulatedIncoming {
    const { stages = STAGES, ...rest } = message;
    const chat = rest.chat === undefined ? this.directChat(rest.from, rest.service) : rest.chat;
    const incoming = new SimulatedIncoming(this.database, rest, chat);
    for (const stage of stages) incoming.write(stage);
    return incoming;
  }

  /** A message is sent, by any sender. Throws if it is for a chat that does not exist. */
  writeSent(message: SentMessage): SimulatedSent {
    const { ghost = false, upTo = 'sent' } = message;
    const chat = this.sentTo(message);
    const sent = new SimulatedSent(this.database, {
      text: message.text,
      service: message.service ?? chat?.service ?? 'iMessage',
      date: message.date,
      chat,
      recipient: recipientOf(message, chat, ghost),
      ghost,
      account: this.account,
      firstState: message.firstState ?? 'anonymous',
      file: message.file,
    });
    if (ghost || upTo === 'first') return sent;
    return comeTo(sent.settle(), upTo);
  }

  /** Any row of `message`, complete in one commit; joined to `chat` if one is given. For what the rest cannot make. */
  insertMessage(columns: Columns, chat?: SimulatedChat): { rowId: number; guid: string } {
    const guid = typeof columns.guid === 'string' ? columns.guid : appleGuid();
    const date = columns.date ?? this.database.now();
    return this.database.transaction(() => {
      const rowId = this.database.insert('message', { service: 'iMessage', ...columns, guid, date });
      if (chat !== undefined) this.joinChat(rowId, chat, date);
      return { rowId, guid };
    });
  }

  /** Joins a message to a chat, or to one more. */
  joinChat(rowId: number, chat: SimulatedChat, date: Columns[string] = null): void {
    this.database.insert('chat_message_join', {
      chat_id: chat.rowId,
      message_id: rowId,
      message_date: date ?? 0,
    });
  }

  updateMessage(rowId: number, columns: Columns): void {
    this.database.update('message', rowId, columns);
  }

  deleteMessage(rowId: number): void {
    this.database.delete('message', rowId);
  }

  /** Makes ROWIDs of messages continue after the highest existing one, as in a recreated database. */
  resetRowIds(): void {
    this.database.forgetSequence('message');
  }

  /** The ROWID of a handle, made if there is none. */
  handle(address: string, service: ChatService = 'iMessage'): number {
    return this.database.handle(address, service);
  }

  /** Many incoming messages of one chat in one commit, a second apart and ending now, for benches. */
  bulkReceive(
    count: number,
    options: { from: string; text?: string; chat?: SimulatedChat; endDate?: number },
  ): void {
    const chat = options.chat ?? this.directChat(options.from);
    const handle = this.handle(options.from, chat.service);
    const text = options.text ?? 'One of many.';
    const attributedBody = encodeAttributedBody(text);
    const end = options.endDate ?? Date.now();
    this.database.transaction(() => {
      for (let left = count; left > 0; left--) {
        const date = appleDate(end - left * 1000);
        const rowId = this.database.insert('message', {
          guid: appleGuid(),
          handle_id: handle,
          service: chat.service,
          account: ACCOUNT,
          text: this.version >= 26 ? null : text,
          attributedBody,
          date,
          is_finished: 1,
          part_count: 1,
        });
        this.joinChat(rowId, chat, date);
      }
    });
  }

  /** The ROWID that the message of this guid has now. Throws if there is none. */
  rowIdOf(guid: string): number {
    const rowId = this.database.rowIdOf(guid);
    if (rowId === undefined) throw new Error(`There is no message ${guid}`);
    return rowId;
  }

  /** How many messages there are. */
  rowCount(): number {
    return this.database.get<number>('SELECT count(*) FROM message') ?? 0;
  }

  /** One commit of everything that `work` writes. */
  inOneCommit<T>(work: () => T): T {
    return this.database.transaction(work);
  }

  close(): void {
    this.database.close();
  }

  private sentTo(message: SentMessage): SimulatedChat | null {
    if (typeof message.chat === 'string')
      return message.ghost === true ? null : this.chats.withGuid(message.chat);
    if (message.chat !== undefined) return message.chat;
    if (message.handle === undefined || message.ghost === true) return null;
    return this.directChat(message.handle, message.service);
  }
}

/** Lets a message that was settled come so far. */
export function comeTo(sent: SimulatedSent, stage: SentStage): SimulatedSent {
  if (stage === 'first' || stage === 'inserted') return sent;
  sent.markSent();
  if (stage !== 'sent') sent.markDelivered();
  if (stage === 'read') sent.markRead();
  return sent;
}

/** A direct message has its recipient as handle, one to a group has none; a ghost has the identifier it was meant for. */
function recipientOf(message: SentMessage, chat: SimulatedChat | null, ghost: boolean): string | null {
  if (ghost && typeof message.chat === 'string') return message.chat.split(';').slice(2).join(';');
  if (ghost) return chat?.identifier ?? message.handle ?? null;
  return chat?.style === 'group' ? null : (chat?.identifier ?? message.handle ?? null);
}
