import { diskFault } from './diskFault.js';

/** A write that may be one commit with others. */
export interface SharedWrite {
  /** Inside the write; called again, with fewer others and alone at last, where that failed: it may have been for what came along. */
  take(): void;
  /** Called once. `refused`: the disk did not take it; `failed`: `take` threw, alone too. Nothing of it is stored then. */
  ended(end: SharedEnd): void;
}

export type SharedEnd = { kind: 'stored' } | { kind: 'refused' | 'failed'; fault: unknown };

/** What the queue needs of the store: `transact` is one commit, `follow` does what comes after one, and logs where that throws. */
interface Writer {
  isOpen(): boolean;
  isWriting(): boolean;
  transact(work: () => void): void;
  follow(hook: () => void): void;
}

/** The queue of writes that wait to be one commit with others, in the order in which they came. */
export class SharedWrites {
  private readonly queue: SharedWrite[] = [];
  /** How many of the first in the queue are a commit each, where more at a time failed. */
  private readonly parts: number[] = [];
  /** What comes waits for others. */
  private isTogether = false;

  constructor(private readonly writer: Writer) {}

  /** What comes while `looks` runs is one commit. Within another of these, or a write, it is part of that. */
  together(looks: () => void): void {
    const isOutermost = this.begin();
    try {
      looks();
    } finally {
      if (isOutermost) this.end();
    }
  }

  /** The same of what comes until `atEnd` calls its argument. */
  togetherUntil(atEnd: (end: () => void) => void): void {
    if (this.begin()) atEnd(() => this.end());
  }

  private begin(): boolean {
    if (this.isTogether || this.writer.isWriting()) return false;
    this.isTogether = true;
    return true;
  }

  private end(): void {
    this.commit();
    this.isTogether = false;
  }

  /** Queues a write, and commits it at once where it does not wait for others. */
  add(write: SharedWrite): void {
    this.queue.push(write);
    if (!this.isTogether) this.commit();
  }

  /** All that is queued is on the disk when this returns, or its end was told. Nothing inside a write. */
  commit(): void {
    if (this.writer.isWriting()) return;
    while (this.queue.length > 0) this.takeNext();
  }

  /**
   * Takes the whole queue as one commit. What fails is taken in halves, so that one that trips among many is found within a few commits, and
   * alone at last.
   */
  private takeNext(): void {
    const part = this.parts.shift();
    const writes = this.queue.splice(0, part ?? this.queue.length);
    const end = this.transact(writes);
    if (end.kind === 'failed' && part !== 1) {
      const half = Math.ceil(writes.length / 2);
      this.parts.unshift(...[half, writes.length - half].filter((size) => size > 0));
      this.queue.unshift(...writes);
    } else for (const { ended } of writes) this.writer.follow(() => ended(end));
  }

  private transact(writes: readonly SharedWrite[]): SharedEnd {
    try {
      this.writer.transact(() => {
        for (const { take } of writes) take();
      });
      return { kind: 'stored' };
    } catch (fault) {
      const isDisk = !this.writer.isOpen() || diskFault(fault) !== undefined;
      return { kind: isDisk ? 'refused' : 'failed', fault };
    }
  }
}
