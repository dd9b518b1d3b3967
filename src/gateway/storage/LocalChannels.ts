import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';

type Received = (payload: string) => void;

/** Who listens to which channel in this process, and the calls to them. */
export class LocalChannels {
  private readonly listeners = new Map<string, Set<Received>>();

  constructor(private readonly log: Logger) {}

  /** The channels that someone listens to. */
  get names(): readonly string[] {
    return [...this.listeners.keys()];
  }

  add(channel: string, received: Received): void {
    const there = this.listeners.get(channel) ?? new Set();
    this.listeners.set(channel, there.add(received));
  }

  /** Whether the channel has no more listeners. */
  remove(channel: string, received: Received): boolean {
    const there = this.listeners.get(channel);
    there?.delete(received);
    return there?.size === 0 && this.listeners.delete(channel);
  }

  /** Calls each listener; one that throws has a bug, and does not affect the others. */
  notify(channel: string, payload: string): void {
    for (const received of this.listeners.get(channel) ?? []) safely(this.log, () => received(payload));
  }
}

/** Calls what must not throw; the log has it if it does. */
export function safely(log: Logger, run: () => void): void {
  try {
    run();
  } catch (error) {
    log.error(`Internal error in a callback of the database: ${describeError(error)}`, { code: 'internal' });
  }
}
