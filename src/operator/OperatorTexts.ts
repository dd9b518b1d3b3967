import type { OperatorReply } from '../incoming/ChatEvents.js';

/** The sender of texts from another device of the account. */
export const OPERATOR = 'operator';

const MOST = 500;

/** The newest texts that persons wrote from other devices since the agent was started: no other store has them. */
export class OperatorTexts {
  private readonly byGuid = new Map<string, OperatorReply>();

  /** A row that is read again is the same text. */
  note(reply: OperatorReply): void {
    this.byGuid.set(reply.guid, reply);
    const [oldest] = this.byGuid.keys();
    if (this.byGuid.size > MOST && oldest !== undefined) this.byGuid.delete(oldest);
  }

  /** The newest last. */
  list(): OperatorReply[] {
    return [...this.byGuid.values()];
  }
}
