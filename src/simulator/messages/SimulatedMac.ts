import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AppleVersion } from './appleSchema.js';
import { ChatDbWriter } from './ChatDbWriter.js';
import { installOsascript } from './installOsascript.js';
import { type Dispatch, readSent } from './osascriptLog.js';

/** Messages on a Mac: a chat.db that is written as Messages writes it, and an osascript that sends. */
export class SimulatedMac {
  readonly chatDb: ChatDbWriter;
  readonly chatDbPath: string;
  readonly osascriptPath: string;
  /** What `behave` and the readers of osascriptLog take. */
  readonly osascriptDirectory: string;

  constructor(directory: string, version: AppleVersion = 15) {
    const messages = join(directory, 'Messages');
    mkdirSync(messages, { recursive: true });
    this.chatDbPath = join(messages, 'chat.db');
    this.chatDb = new ChatDbWriter(this.chatDbPath, { version });
    this.osascriptDirectory = join(directory, 'osascript');
    const installed = installOsascript(this.osascriptDirectory, { chatDbPath: this.chatDbPath, version });
    this.osascriptPath = installed.path;
  }

  /** Every text that Messages took, oldest first. */
  sent(): Dispatch[] {
    return readSent(this.osascriptDirectory);
  }

  close(): void {
    this.chatDb.close();
  }
}
