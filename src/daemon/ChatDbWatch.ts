import type { Logger } from '../logging/Logger.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { Clock } from '../system/clock.js';

/** Whether chat.db can be read, over time: told in the log whenever that changes. */
export class ChatDbWatch {
  private readAt: number | null = null;
  private lostAt: number;
  private wasReadable: boolean | undefined;

  constructor(
    private readonly chatDb: ChatDb,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.lostAt = clock.now();
  }

  /** Says once when chat.db becomes unreadable and once when it is readable again. */
  look(): void {
    const access = this.chatDb.access();
    if (access.ok === this.wasReadable) return;
    if (!access.ok) {
      this.lostAt = this.clock.now();
      this.log.error(`${access.message} ${access.remedy}`, { code: access.code });
    } else if (this.wasReadable === false) this.log.info('chat.db can be read again');
    this.wasReadable = access.ok;
  }

  /** Looks now. Unix ms: when it was last read (null: not yet), and since when it cannot be read, where it cannot. */
  now(): { chatDbReadAt: number | null; chatDbLostAt: number } {
    this.look();
    if (this.chatDb.highestRowId() !== null) this.readAt = this.clock.now();
    return { chatDbReadAt: this.readAt, chatDbLostAt: this.lostAt };
  }
}
