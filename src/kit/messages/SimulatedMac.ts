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

  /** `executableIn`: the replacement for osascript in its directory, if it is not ours. */
  constructor(
    directory: string,
    private readonly version: AppleVersion = 15,
    private readonly executableIn?: (osascriptDirectory: string) => string | undefined,
  ) {
    const messages = join(directory, 'Messages');
    mkdirSync(messages, { recursive: true });
    this.chatDbPath = join(messages, 'chat.db');
    this.chatDb = new ChatDbWriter(this.chatDbPath, { version });
    this.osascriptDirectory = join(directory, 'osascript');
    this.osascriptPath = this.install(0);
  }

  /** Sets the clock of this Mac so many ms ahead of ours: what Messages writes from now on is dated by it. */
  setClock(offsetMs: number): void {
    this.chatDb.setClock(offsetMs);
    this.install(offsetMs);
  }

  /** Every text that Messages took, oldest first. */
  sent(): Dispatch[] {
    return readSent(this.osascriptDirectory);
  }

  close(): void {
    this.chatDb.close();
  }

  private install(clockOffsetMs: number): string {
    const { chatDbPath, version, osascriptDirectory } = this;
    const executable = this.executableIn?.(osascriptDirectory);
    return installOsascript(osascriptDirectory, { chatDbPath, version, clockOffsetMs, executable }).path;
  }
}
