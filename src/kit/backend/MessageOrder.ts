/**
 * The position of a new message relative to the earlier ones of its conversation: the next one, after a gap, or with a
 * number at or below an earlier one (it was set aside and posted again, or the agent lost its state and counts from 1).
 * Older agents send no number.
 */
export type MessagePlace = 'next' | 'gap' | 'late' | 'unnumbered';

/** Follows the numbers of each conversation of each agent. Only looks: no message waits for another. */
export class MessageOrder {
  private readonly newest = new Map<string, number>();

  /** Of how many conversations the newest number is remembered. */
  constructor(private readonly remembered: number) {}

  note(agentId: string, threadId: string, sequence: number | undefined): MessagePlace {
    if (sequence === undefined) return 'unnumbered';
    const key = `${agentId} ${threadId}`;
    const newest = this.newest.get(key);
    this.newest.delete(key);
    this.newest.set(key, sequence === 1 ? 1 : Math.max(sequence, newest ?? 0));
    if (this.newest.size > this.remembered) {
      const oldest = this.newest.keys().next();
      if (!oldest.done) this.newest.delete(oldest.value);
    }
    if (newest === undefined || sequence === newest + 1) return 'next';
    return sequence > newest ? 'gap' : 'late';
  }
}
