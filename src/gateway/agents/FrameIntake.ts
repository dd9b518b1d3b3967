import type { AgentConnection } from './AgentConnection.js';
import type { AgentReport } from './EdgeBackend.js';

/** How many frames, and characters in them, wait to be stored before no more are read from the socket. */
const WAITING_AT_MOST = { frames: 1_000, size: 4 * 1024 * 1024 } as const;

/** How many reports are stored in one step. */
const STEP_AT_MOST = 500;

interface IntakeParts {
  connection: AgentConnection;
  /** Resolves when they are durable. */
  store(reports: readonly AgentReport[]): Promise<void>;
  pong(): void;
  /** Something could not be stored. Nothing more is taken from this connection. */
  failed(mistake: unknown): void;
}

interface TakenFrame {
  readonly what: AgentReport | { readonly kind: 'ping' };
  readonly size: number;
}

/**
 * The frames of one socket, in order: reports are stored step by step, and those that arrive during one step together
 * in the next; a ping is answered when everything before it is stored, because on its pong the agent deletes all that.
 */
export class FrameIntake {
  private readonly waiting: TakenFrame[] = [];
  private waitingSize = 0;
  private busy = false;
  private broken = false;
  private readonly idleWaiters: (() => void)[] = [];

  constructor(private readonly parts: IntakeParts) {}

  /** `size`: how long the frame was, in characters. */
  take(what: TakenFrame['what'], size: number): void {
    if (this.broken) return;
    this.waiting.push({ what, size });
    this.waitingSize += size;
    if (this.fills(1)) this.parts.connection.pause('behind');
    if (!this.busy) void this.work();
  }

  /** Resolves when nothing waits to be stored. */
  idle(): Promise<void> {
    if (!this.busy) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Never rejects. */
  private async work(): Promise<void> {
    const { connection } = this.parts;
    this.busy = true;
    try {
      while (this.waiting.length > 0) {
        const step = this.waiting.splice(0, STEP_AT_MOST);
        const reports = step.flatMap(({ what }) => (what.kind === 'ping' ? [] : [what]));
        if (reports.length > 0) await this.parts.store(reports);
        for (let left = step.length - reports.length; left > 0; left -= 1) this.parts.pong();
        for (const { size } of step) this.waitingSize -= size;
        if (!this.fills(1 / 2)) connection.resume('behind');
      }
    } catch (mistake) {
      this.broken = true;
      this.waiting.length = 0;
      this.parts.failed(mistake);
    }
    this.busy = false;
    for (const idle of this.idleWaiters.splice(0)) idle();
  }

  /** Whether what waits takes up this share of the room. */
  private fills(share: number): boolean {
    const { frames, size } = WAITING_AT_MOST;
    return this.waiting.length >= frames * share || this.waitingSize >= size * share;
  }
}
