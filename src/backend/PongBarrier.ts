/**
 * What was sent on one socket and is not yet proven read. Frames arrive in order, so the pong to a ping proves that
 * all sent before that ping was read (protocol §5). Pings and pongs are matched in order: a pong beyond the pings sent
 * proves nothing, and a pong that never came only makes later proofs cover less, never more.
 */
export class PongBarrier<Item> {
  private unasked: Item[] = [];
  private asked: Item[][] = [];

  /** How many items are not proven read. */
  get size(): number {
    return this.asked.reduce((sum, batch) => sum + batch.length, this.unasked.length);
  }

  /** Whether something was sent after the last ping. */
  get waitsForPing(): boolean {
    return this.unasked.length > 0;
  }

  sent(item: Item): void {
    this.unasked.push(item);
  }

  pinged(): void {
    this.asked.push(this.unasked);
    this.unasked = [];
  }

  /** The items that this pong proves read. */
  ponged(): readonly Item[] {
    return this.asked.shift() ?? [];
  }

  /** The oldest item not proven read. */
  get oldest(): Item | undefined {
    return this.asked.find((batch) => batch.length > 0)?.[0] ?? this.unasked[0];
  }

  /** Every item not proven read, oldest first. */
  pending(): Item[] {
    return [...this.asked.flat(), ...this.unasked];
  }

  /** A new socket: nothing sent before it counts. */
  reset(): void {
    this.unasked = [];
    this.asked = [];
  }
}
