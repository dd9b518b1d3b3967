import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../../src/config/schema.js';
import { forwarding } from '../../../src/incoming/forwarding.js';
import type { AppleVersion } from '../../../src/kit/messages/appleSchema.js';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { EditWatch } from '../../../src/messages/chatdb/EditWatch.js';
import { IncomingReader } from '../../../src/messages/chatdb/IncomingReader.js';
import { OwnAddresses } from '../../../src/messages/chatdb/ownership.js';
import { normalisedText } from '../../../src/messages/chatdb/rowBody.js';
import { conversationKey } from '../../../src/messages/conversationId.js';
import type { IncomingMessage } from '../../../src/model/incoming.js';
import type { NewSend } from '../../../src/model/sending.js';
import type { Store } from '../../../src/store/Store.js';
import { FakeClock } from '../../support/FakeClock.js';
import { queuedText } from '../../support/queuedText.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { openTestStore } from '../../support/temporaryStore.js';

/** One form that chat.db takes on some machine. */
export interface SchemaForm {
  version: AppleVersion;
  srColumns: boolean;
  shuffledColumns: boolean;
}

/** Every version, with and without the columns of certain upgrades, in both orders of columns. */
export const SCHEMA_FORMS: readonly SchemaForm[] = ([12, 13, 14, 15, 26] as const).flatMap((version) =>
  [false, true].flatMap((srColumns) =>
    [false, true].map((shuffledColumns) => ({ version, srColumns, shuffledColumns })),
  ),
);

export const OWN = '+13105550100';
export const REGION = 'US';

export interface ForwardSettings {
  allow: string[];
  ignore: string[];
  unknown_senders: boolean;
  one_time_codes: boolean;
  reactions: boolean;
  edits: boolean;
  unsends: boolean;
  group_events: boolean;
  transcriptions: boolean;
  filtered: boolean;
  delivery: boolean;
  pause_on_operator_reply: boolean;
}

export const DEFAULTS: ForwardSettings = {
  allow: [],
  ignore: [],
  unknown_senders: true,
  one_time_codes: false,
  reactions: true,
  edits: true,
  unsends: true,
  group_events: true,
  transcriptions: true,
  filtered: true,
  delivery: true,
  pause_on_operator_reply: false,
};

/** What became known since it was last asked. */
export interface News {
  messages: IncomingMessage[];
  texts: string[];
  events: { eventType: string; threadId?: string; details: Record<string, unknown> }[];
  types: string[];
  skipped: Record<string, number>;
}

/**
 * Messages, and the agent as far as it reads chat.db: the real reader, ledger and forwarding rooms. Kept for many facts,
 * so each uses people of its own (`person`) and asks only for what is new.
 */
export class FactWorld {
  readonly clock = new FakeClock();
  readonly writer: ChatDbWriter;
  readonly chatDb: ChatDb;
  readonly store: Store;
  settings: ForwardSettings = { ...DEFAULTS };
  /** The guids of files that joined a message after it was stored. */
  readonly lateFiles: string[] = [];
  private readonly directory = mkdtempSync(join(tmpdir(), 'edge-facts-'));
  private readonly log = new RecordingLog();
  private readonly told;
  private readonly received: IncomingMessage[] = [];
  /** How old a message may be that is worth an answer. */
  maxAgeMs = 6 * 3600_000;
  private reader: IncomingReader;
  private edits: EditWatch;
  private people = 0;
  private eventsSeen = 0;
  private leftOutSeen: Record<string, number> = {};

  constructor(readonly form: SchemaForm) {
    const { clock, log } = this;
    const path = join(this.directory, 'chat.db');
    this.writer = new ChatDbWriter(path, form);
    this.chatDb = new ChatDb({ path, clock, log, region: REGION });
    this.store = openTestStore(join(this.directory, 'store.db'), { clock, log });
    this.told = forwarding({
      store: this.store,
      clock,
      log,
      config: () => this.config(),
      normalise: normalisedText,
      conversationKey: (written) => conversationKey(written, REGION),
      disclose: (text) => text,
      onFiles: ({ attachments }) => this.lateFiles.push(...attachments.map(({ guid }) => guid)),
    });
    [this.reader, this.edits] = this.read();
    this.reader.scan();
  }

  get version(): AppleVersion {
    return this.form.version;
  }

  /** The number of a person who never wrote before. */
  person(): string {
    this.people += 1;
    return `+1212555${String(1000 + this.people)}`;
  }

  /** A message of now from a person; each has a date of its own, as on a Mac. */
  receive(message: Parameters<ChatDbWriter['receive']>[0]): ReturnType<ChatDbWriter['receive']> {
    this.clock.jumpWall(1);
    return this.writer.receive({ date: this.clock.now(), ...message });
  }

  /** A person who wrote already, so that their conversation is one that the agent serves. */
  acquaintance(): string {
    const person = this.person();
    this.receive({ from: person, text: 'hello' });
    this.news();
    return person;
  }

  /** A text in the ledger as it is while osascript runs, or after. */
  send(conversation: string, text: string, more: Partial<NewSend> = {}): number {
    const { store, chatDb } = this;
    return store.write(() => {
      const id = `send:${conversation}:${text}:${store.sends.newest()}`;
      const send = store.sends.add(queuedText({ id, conversation, text, ...more }));
      if (send === undefined) throw new Error('the id is known');
      const attempt = { tag: send.id, generation: chatDb.generation(), afterRow: chatDb.highestRowId() };
      store.sends.begin(send.seq, attempt);
      return send.seq;
    });
  }

  /** Reads new rows; what became known is reported by the next `news`. */
  scan(): void {
    this.reader.scan();
  }

  /** Looks at chat.db and reports what became known. */
  news(): News {
    this.reader.scan();
    this.edits.look();
    const stored = this.store.events.after(this.eventsSeen, 1000);
    this.eventsSeen = stored.at(-1)?.seq ?? this.eventsSeen;
    const messages = this.received.splice(0);
    const skipped = this.reader.skipped() as Record<string, number>;
    const fresh = Object.entries(skipped)
      .map(([reason, count]) => [reason, count - (this.leftOutSeen[reason] ?? 0)] as const)
      .filter(([, count]) => count > 0);
    this.leftOutSeen = { ...skipped };
    return {
      messages,
      texts: messages.map(({ text }) => text),
      events: stored.map(({ eventType, threadId, details }) => ({
        eventType,
        details,
        ...(threadId === undefined ? {} : { threadId }),
      })),
      types: stored.map(({ eventType }) => eventType),
      skipped: Object.fromEntries(fresh),
    };
  }

  /** Every event about this message so far, in order. */
  toldOf(guid: string): { eventType: string; details: Record<string, unknown> }[] {
    const all = this.store.events.after(0, 100_000);
    return all.filter(({ details }) => details.message_guid === guid);
  }

  /** Lets time pass, for what waits, and reports what became known. */
  after(ms: number): News {
    this.clock.advance(ms);
    return this.news();
  }

  /** The agent stops and starts again: what it knows is what is stored. */
  restart(): void {
    this.reader.stop();
    this.edits.stop();
    this.leftOutSeen = {};
    [this.reader, this.edits] = this.read();
    this.edits.start();
  }

  close(): void {
    this.reader.stop();
    this.edits.stop();
    this.chatDb.close();
    this.store.close();
    this.writer.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private read(): [IncomingReader, EditWatch] {
    const { chatDb, store, clock, log } = this;
    const own = new OwnAddresses(REGION, [() => [OWN], () => chatDb.ownAddresses()]);
    const reader = new IncomingReader({
      chatDb,
      store,
      clock,
      log,
      region: REGION,
      ownAddresses: () => own.all(),
      worthAnswering: (sentAt) => clock.now() - sentAt <= this.maxAgeMs,
      forwarding: this.told.rows,
      onMessages: (messages) => this.received.push(...messages),
    });
    const edits = new EditWatch({ chatDb, clock, onChanges: (changes) => this.told.changes.note(changes) });
    edits.start();
    return [reader, edits];
  }

  private config(): Config {
    const { pause_on_operator_reply, ...forward } = this.settings;
    return { forward, outgoing: { pause_on_operator_reply } } as unknown as Config;
  }
}
