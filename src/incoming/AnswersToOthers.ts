/**
 * What shows that the backend takes messages: the answers to other messages since a message's last failure. Kept in memory
 * alone; after a restart the proof begins again, to the benefit of the message.
 */
export class AnswersToOthers {
  private answers = 0;
  /** How many answers there were at the last failure of a message, or when its first post began. */
  private readonly seenBy = new Map<number, number>();

  /** A message is posted; what was answered before it began is no proof. */
  began(seq: number): void {
    if (!this.seenBy.has(seq)) this.seenBy.set(seq, this.answers);
  }

  /** Whether another message was answered since this one's last failure. */
  any(seq: number): boolean {
    return this.answers > (this.seenBy.get(seq) ?? this.answers);
  }

  /** A post of the message failed: the next failure needs proof of its own. */
  failed(seq: number): void {
    this.seenBy.set(seq, this.answers);
  }

  /** The message was answered, by a reply or as known: the backend takes messages. */
  answered(seq: number): void {
    this.answers += 1;
    this.seenBy.delete(seq);
  }

  /** The message is not posted again. */
  forget(seq: number): void {
    this.seenBy.delete(seq);
  }
}
