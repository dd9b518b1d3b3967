import type { AgentConnection } from '../../gateway/agents/AgentConnection.js';
import type { ConnectionRegistry } from '../../gateway/agents/ConnectionRegistry.js';
import type { Faults, HeldPongs } from './Faults.js';

/** Which requests an HTTP fault hits: all, unless a path is given. `times`: how many; Infinity for every one. */
interface HttpTarget {
  path?: string;
  times?: number;
}

/**
 * What can be made to go wrong, one verb each. Verbs about a socket concern the agent that is named, or else every
 * connected one; they return how many connections they hit.
 */
export class BackendFaults {
  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly faults: Faults,
  ) {}

  /** Cuts the socket without a close frame: the agent sees 1006. */
  dropSocket(agentId?: string): number {
    return this.each(agentId, (connection) => connection.drop());
  }

  /** Plays a peer that is gone without a word: nothing more is read or written, the socket stays open. */
  freezeSocket(agentId?: string): number {
    return this.each(agentId, (connection) => this.faults.freeze(connection));
  }

  /** Ends a freeze: what arrived meanwhile is read now, what was to be sent meanwhile is lost. */
  thawSocket(agentId?: string): number {
    return this.each(agentId, (connection) => this.faults.thaw(connection));
  }

  /** Closes with this code, which must be one that may be sent (1000–1014 but 1004–1006, 3000–4999). */
  closeWith(code: number, reason = '', agentId?: string): number {
    return this.each(agentId, (connection) => connection.close(code, reason));
  }

  /** Sends something of the caller's making: a text frame, or a binary one for a Buffer. */
  pushRaw(frame: string | Buffer, agentId?: string): number {
    return this.each(agentId, (connection) => connection.send(frame));
  }

  /** Answers upgrades with this status, or with nothing at all (`hang`); null ends it. `retryAfter` in seconds. */
  refuseUpgrades(status: number | 'hang' | null, retryAfter?: number): void {
    if (status === null) this.faults.upgrades = { kind: 'none' };
    else if (status === 'hang') this.faults.upgrades = { kind: 'hang' };
    else this.faults.upgrades = { kind: 'status', status, retryAfter };
  }

  /** Leaves pings unanswered, until `releasePongs`. */
  holdPongs(of: HeldPongs = 'all'): void {
    this.faults.pongs = of;
  }

  /** Answers pings again, and first those JSON pings that were left waiting. */
  releasePongs(): void {
    this.faults.pongs = null;
    this.each(undefined, (connection) => this.faults.releasePongs(connection));
  }

  /** Answers requests with this status; nothing behind it is done. `retryAfter`: seconds or an HTTP date. */
  failHttp(status: number, times = 1, options: { path?: string; retryAfter?: string | number } = {}): void {
    this.faults.fail({ status, times, ...options });
  }

  /** Looks at requests only after so many ms. */
  delayHttp(ms: number, { path, times = Infinity }: HttpTarget = {}): void {
    this.faults.delay({ ms, path, times });
  }

  /** Carries requests out, but cuts the connection instead of answering. */
  loseReplies({ path, times = 1 }: HttpTarget = {}): void {
    this.faults.lose({ path, times });
  }

  /** Ends every failure, delay and loss of the HTTP side. */
  clearHttpFaults(): void {
    this.faults.clearHttp();
  }

  /** Sends the next `times` command frames twice. */
  duplicateNextCommand(times = 1): void {
    this.faults.duplicates += times;
  }

  /** Whether a message that is posted again gets another reflex, with a new command id. */
  repeatReflexes(on = true): void {
    this.faults.repeatReflexes = on;
  }

  private each(agentId: string | undefined, run: (connection: AgentConnection) => void): number {
    const connections = this.registry.all(agentId);
    for (const connection of connections) run(connection);
    return connections.length;
  }
}
