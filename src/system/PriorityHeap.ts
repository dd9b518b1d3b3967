/** Things in an order, of which the first is always at hand: adding and taking cost the logarithm of how many there are. */
export class PriorityHeap<Item> {
  private items: Item[] = [];

  constructor(private readonly isBefore: (one: Item, other: Item) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  first(): Item | undefined {
    return this.items[0];
  }

  clear(): void {
    this.items = [];
  }

  /** Drops all others. */
  keep(isKept: (item: Item) => boolean): void {
    const kept = this.items.filter(isKept);
    this.items = [];
    for (const item of kept) this.add(item);
  }

  add(item: Item): void {
    const { items } = this;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = items[above];
      if (other === undefined || !this.isBefore(item, other)) break;
      items[at] = other;
      at = above;
    }
    items[at] = item;
  }

  /** Takes the first one out. */
  take(): Item | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.sink(last);
    return first;
  }

  private sink(item: Item): void {
    const { items } = this;
    let at = 0;
    for (;;) {
      const [left, right] = [items[2 * at + 1], items[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && this.isBefore(right, left);
      const below = isRight ? right : left;
      if (!this.isBefore(below, item)) break;
      items[at] = below;
      at = 2 * at + (isRight ? 2 : 1);
    }
    items[at] = item;
  }
}
