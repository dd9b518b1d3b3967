import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AppleVersion } from '../../../src/kit/messages/appleSchema.js';
import { ChatDbWriter, type ChatDbWriterOptions } from '../../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { IncomingReader } from '../../../src/messages/chatdb/IncomingReader.js';
import type { IncomingMessage } from '../../../src/model/incoming.js';
import type { Store } from '../../../src/store/Store.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../../support/temporaryStore.js';

/** The four macOS versions that the simulator is for, and the forms their databases take. */
export const VERSIONS: readonly (ChatDbWriterOptions & { version: AppleVersion })[] = [
  { version: 13 },
  { version: 14, srColumns: true },
  { version: 15, shuffledColumns: true },
  { version: 26, srColumns: true, shuffledColumns: true },
];

export const PERSON = '+13105551234';
export const OTHER = '+13105559876';
export const OWN = '+13105550100';

export class MessagesWorld {
  readonly clock = new FakeClock();
  readonly log = new RecordingLog();
  readonly directory = temporaryDirectory();
  readonly path = join(this.directory, 'chat.db');
  readonly received: IncomingMessage[] = [];
  maxAgeMs = 6 * 3600_000;
  private writerNow: ChatDbWriter | undefined;
  private chatDbNow: ChatDb | undefined;

  constructor(private readonly options: ChatDbWriterOptions = {}) {
    onTestFinished(() => {
      this.writerNow?.close();
      this.chatDbNow?.close();
    });
  }

  /** Plays Messages; makes chat.db when first used. */
  get writer(): ChatDbWriter {
    this.writerNow ??= new ChatDbWriter(this.path, this.options);
    return this.writerNow;
  }

  /** Closes the file, as before it is taken away. */
  closeWriter(): void {
    this.writerNow?.close();
    this.writerNow = undefined;
  }

  get chatDb(): ChatDb {
    this.chatDbNow ??= new ChatDb({ path: this.path, clock: this.clock, log: this.log, region: 'US' });
    return this.chatDbNow;
  }

  newStore(): Store {
    return temporaryStore(this.clock);
  }

  reader(store: Store): IncomingReader {
    const reader = new IncomingReader({
      chatDb: this.chatDb,
      store,
      clock: this.clock,
      log: this.log,
      region: 'US',
      ownAddresses: () => new Set([OWN]),
      worthAnswering: (sentAt) => this.clock.now() - sentAt <= this.maxAgeMs,
      onMessages: (messages) => this.received.push(...messages),
    });
    onTestFinished(() => reader.stop());
    return reader;
  }

  get texts(): string[] {
    return this.received.map((message) => message.text);
  }

  /** A message of now, in the world's time. */
  receive(message: Parameters<ChatDbWriter['receive']>[0]): ReturnType<ChatDbWriter['receive']> {
    return this.writer.receive({ date: this.clock.now(), ...message });
  }
}
