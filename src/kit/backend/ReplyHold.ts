import type { Journal } from './Journal.js';

/** In which order a held reflex (by socket) and reply (by HTTP) go out. */
export type ReplyOrder = 'reflexFirst' | 'replyFirst' | 'both';

interface HeldReply {
  readonly agentId: string;
  readonly guid: string;
  /** Undefined once pushed. Returns the id of the pushed command, or null where nothing went by socket. */
  pushReflex: (() => string | null) | undefined;
  /** Undefined once let go. */
  letGo: (() => void) | undefined;
}

/** How long `reflexFirst` waits for the ack of the reflex, and `replyFirst` for the reply to be written, in ms. */
const FIRST_ONE_MS = 15_000;

/**
 * Holds reflex and reply of every message back, to let them go in a chosen order. A race between two channels
 * cannot be won by sending one first, so `reflexFirst` waits until the agent acked the reflex; the agent sends no word
 * that it has read a reply, so after `replyFirst` only a test that watches the agent knows: it has the two halves.
 */
export class ReplyHold {
  private holding = false;
  private heldReplies: HeldReply[] = [];

  constructor(private readonly journal: Journal) {}

  /** The messages whose reply is held back, oldest first. */
  get guids(): string[] {
    return this.heldReplies.map(({ guid }) => guid);
  }

  /** From now on every message is held. */
  start(): void {
    this.holding = true;
  }

  /** Undefined when nothing is held; else resolves when the reply may go. `pushReflex` is then called by a release. */
  take(
    agentId: string,
    guid: string,
    pushReflex: (() => string | null) | undefined,
  ): Promise<void> | undefined {
    if (!this.holding) return undefined;
    return new Promise((resolve) => {
      this.heldReplies.push({ agentId, guid, pushReflex, letGo: resolve });
      this.journal.record({ kind: 'held', agentId, guid });
    });
  }

  /** Pushes the held reflexes now, in order; returns the ids of the commands that went by socket. */
  releaseReflex(): string[] {
    const pushed = this.heldReplies.map((held) => {
      const commandId = held.pushReflex?.() ?? null;
      held.pushReflex = undefined;
      return commandId;
    });
    this.forgetSettled();
    return pushed.filter((commandId) => commandId !== null);
  }

  /** Lets the held replies go; resolves when each was written, or its caller turned out to be gone. */
  async releaseReply(): Promise<void> {
    const unwritten = new Set<string>();
    const stop = this.journal.observe((seen) => {
      if (seen.kind === 'reply') unwritten.delete(`${seen.agentId} ${seen.guid}`);
    });
    for (const held of this.heldReplies) {
      if (held.letGo === undefined) continue;
      unwritten.add(`${held.agentId} ${held.guid}`);
      held.letGo();
      held.letGo = undefined;
    }
    this.forgetSettled();
    try {
      await this.journal.until(() => unwritten.size === 0, FIRST_ONE_MS);
    } finally {
      stop();
    }
  }

  /** Lets everything held go in this order, and holds nothing from now on. Resolves when all is out. */
  async release(order: ReplyOrder): Promise<void> {
    this.holding = false;
    switch (order) {
      case 'reflexFirst': {
        const pushed = this.releaseReflex();
        const acked = () => pushed.every((id) => this.journal.acks.some((ack) => ack.body.command_id === id));
        await this.journal.until(acked, FIRST_ONE_MS);
        return this.releaseReply();
      }
      case 'replyFirst':
        await this.releaseReply();
        this.releaseReflex();
        return;
      case 'both': {
        const written = this.releaseReply();
        this.releaseReflex();
        return written;
      }
    }
  }

  private forgetSettled(): void {
    this.heldReplies = this.heldReplies.filter((held) => held.pushReflex ?? held.letGo);
  }
}
