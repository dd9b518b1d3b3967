import type { Command } from '../model/command.js';
import type { Clock, Timer } from '../system/clock.js';

/** Ids remembered at most; commands beyond that are long settled. */
const REMEMBERED = 10_000;
/** A command pushed at the moment of the sync is on its way by the socket too: it gets this long to arrive. */
const GRACE_MS = 2_000;

interface LostConnectionPorts {
  readonly clock: Clock;
  /** The backend's clock minus ours, ms. */
  readonly skewMs: () => number;
  /** Commands waited at the backend although our socket was open: it has lost us. */
  readonly onStranded: (count: number) => void;
}

/**
 * Finds out that a backend dropped us from its registry while its pongs go on: a sync beside the live socket brings
 * commands that were queued after the socket opened and never came by it.
 */
export class LostConnectionDetector {
  private seen = new Set<string>();
  private openedAt = 0;
  private timer: Timer | null = null;
  private suspects: readonly string[] = [];

  constructor(private readonly ports: LostConnectionPorts) {}

  /** A socket became live, now. */
  opened(): void {
    this.openedAt = this.ports.clock.now();
  }

  bySocket(commands: readonly Command[]): void {
    for (const { commandId } of commands) this.remember(commandId);
    if (this.timer)
      this.suspects = this.suspects.filter((id) => !commands.some((one) => one.commandId === id));
  }

  /** `startedAt`: when the sync left, Unix ms. One that left before this socket opened tells nothing about it. */
  bySync(commands: readonly Command[], startedAt: number, besideSocket: boolean): void {
    const late = commands.filter(
      (command) => !this.seen.has(command.commandId) && this.shouldHaveCome(command, startedAt),
    );
    for (const { commandId } of commands) this.remember(commandId);
    if (!besideSocket || startedAt < this.openedAt || late.length === 0 || this.timer) return;
    this.suspects = late.map((command) => command.commandId);
    const socket = this.openedAt;
    this.timer = this.ports.clock.after(GRACE_MS, () => {
      this.timer = null;
      if (this.suspects.length > 0 && socket === this.openedAt) this.ports.onStranded(this.suspects.length);
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  private shouldHaveCome(command: Command, startedAt: number): boolean {
    if (command.timestamp === null) return true;
    const queuedAt = command.timestamp - this.ports.skewMs();
    return queuedAt > this.openedAt && queuedAt < startedAt;
  }

  private remember(id: string): void {
    this.seen.delete(id);
    this.seen.add(id);
    if (this.seen.size <= REMEMBERED) return;
    const oldest = this.seen.values().next().value;
    if (oldest !== undefined) this.seen.delete(oldest);
  }
}
