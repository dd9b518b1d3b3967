import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';

type Heard = (payload: string) => void;

/** Who listens to which channel in this process, and the calls to them. */
export class LocalChannels {
  private readonly listeners = new Map<string, Set<Heard>>();

  constructor(private readonly log: Logger) {}

  /** The channels that someone listens to. */
  get names(): readonly string[] {
    return [...this.listeners.keys()];
  }

  add(channel: string, heard: Heard): void {
    const there = this.listeners.get(channel) ?? new Set();
    this.listeners.set(channel, there.add(heard));
  }

  /** Whether the channel has no more listeners. */
  remove(channel: string, heard: Heard): boolean {
    const there = this.listeners.get(channel);
    there?.delete(heard);
    return there?.size === 0 && this.listeners.delete(channel);
  }

  /** Calls each listener; one that throws has a bug, and does not affect the others. */
  tell(channel: string, payload: string): void {
    for (const heard of this.listeners.get(channel) ?? []) safely(this.log, () => heard(payload));
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
