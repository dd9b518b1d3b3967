import type { Clock } from '../../system/clock.js';
import type { ConnectionRegistry } from './ConnectionRegistry.js';
import { Latencies } from './Latencies.js';

/** Of how many commands that are not acked it is known when they set out. */
const KEPT = 100_000;

/** From a command's push until its first ack; where it had to wait for its agent, from its first way out. */
export class AckLatencies {
  /** Over all agents. */
  readonly all = new Latencies();
  /** In ms of the monotonic clock. */
  private readonly setOutAt = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly registry: ConnectionRegistry,
  ) {}

  /** Only the first time counts. */
  setOut(agentId: string, commandId: string): void {
    const key = `${agentId} ${commandId}`;
    if (this.setOutAt.has(key)) return;
    this.setOutAt.set(key, this.clock.monotonic());
    if (this.setOutAt.size <= KEPT) return;
    const oldest = this.setOutAt.keys().next();
    if (!oldest.done) this.setOutAt.delete(oldest.value);
  }

  acked(agentId: string, commandId: string): void {
    const key = `${agentId} ${commandId}`;
    const setOutAt = this.setOutAt.get(key);
    if (setOutAt === undefined) return;
    this.setOutAt.delete(key);
    const ms = this.clock.monotonic() - setOutAt;
    this.all.add(ms);
    this.registry.find(agentId)?.latencies.add(ms);
  }
}
