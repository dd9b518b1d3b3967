import type { AgentConnection } from '../../gateway/agents/AgentConnection.js';
import type { WireCommand } from '../../gateway/agents/frames.js';
import type { Interposer, UpgradeFault } from '../../gateway/agents/Interposer.js';
import type { HttpReply } from '../../gateway/agents/requestBody.js';
import type { CommandWire } from './CommandWire.js';
import type { Pauses } from './Pauses.js';

/** Which keepalive questions go unanswered. `json`: `{type:"ping"}`; `websocket`: the ping of RFC 6455. */
export type HeldPongs = 'json' | 'websocket' | 'all';

/** A fault of the HTTP side. `path` undefined: every path. `times`: how many requests it still hits. */
interface HttpFault {
  path?: string;
  times: number;
}

/** Sent with a failed request. `retryAfter`: seconds, or an HTTP date. */
interface HttpFailure extends HttpFault {
  status: number;
  retryAfter?: string | number;
}

interface HttpDelay extends HttpFault {
  ms: number;
}

/**
 * The faults that were asked for and are not yet used up, played at each step of the server. Of several that fit, the one asked
 * for first is used first.
 */
export class Faults implements Interposer {
  upgrades: UpgradeFault = { kind: 'none' };
  pongs: HeldPongs | null = null;
  /** How many of the next commands go out twice. */
  duplicates = 0;
  /** Whether a message that comes again gets another reflex. */
  repeatReflexes = false;
  private failures: HttpFailure[] = [];
  private delays: HttpDelay[] = [];
  private losses: HttpFault[] = [];
  private readonly frozen = new WeakSet<AgentConnection>();
  private readonly heldPongs = new WeakMap<AgentConnection, number>();

  constructor(
    private readonly pauses: Pauses,
    private readonly wire: CommandWire,
  ) {}

  upgrade(): UpgradeFault {
    return this.upgrades;
  }

  /** Waits for the delay that the next request to `path` has, then takes the failure that it gets instead of an answer. */
  async request(path: string): Promise<HttpReply | 'stopping' | undefined> {
    if (!(await this.pauses.wait(take(this.delays, path)?.ms ?? 0))) return 'stopping';
    const failure = take(this.failures, path);
    if (failure === undefined) return undefined;
    return {
      status: failure.status,
      body: { error: 'fault', message: 'this failure was requested' },
      headers: failure.retryAfter === undefined ? undefined : { 'Retry-After': String(failure.retryAfter) },
    };
  }

  /** Takes whether the next request to `path` is carried out without its caller ever hearing of it. */
  losesReply(path: string): boolean {
    return take(this.losses, path) !== undefined;
  }

  /** A JSON ping that is held is counted, for `releasePongs`. */
  holdsPong(of: 'json' | 'websocket', connection: AgentConnection): boolean {
    if (this.pongs !== 'all' && this.pongs !== of) return false;
    if (of === 'json') this.heldPongs.set(connection, (this.heldPongs.get(connection) ?? 0) + 1);
    return true;
  }

  /** Sends the pongs that were held back from a connection, one for each ping. */
  releasePongs(connection: AgentConnection): void {
    for (let left = this.heldPongs.get(connection) ?? 0; left > 0; left -= 1) connection.sendPong();
    this.heldPongs.delete(connection);
  }

  isFrozen(connection: AgentConnection): boolean {
    return this.frozen.has(connection);
  }

  /** Simulates a peer that disappeared: nothing is read or written, and no close is sent. */
  freeze(connection: AgentConnection): void {
    this.frozen.add(connection);
    connection.pause('frozen');
  }

  /** What arrived meanwhile is read now; what was to be sent meanwhile is lost. */
  thaw(connection: AgentConnection): void {
    this.frozen.delete(connection);
    connection.resume('frozen');
  }

  fail(failure: HttpFailure): void {
    this.failures.push(failure);
  }

  delay(delay: HttpDelay): void {
    this.delays.push(delay);
  }

  lose(loss: HttpFault): void {
    this.losses.push(loss);
  }

  commandFrames(connection: AgentConnection, command: WireCommand): readonly string[] {
    const { agentId } = connection;
    const frame = connection.open ? this.wire.frame(agentId, command) : undefined;
    if (frame === undefined) return [];
    const isTwice = this.duplicates > 0;
    if (isTwice) this.duplicates -= 1;
    const frames = isTwice ? [frame, frame] : [frame];
    for (const _ of frames) this.wire.left(agentId, command, 'websocket');
    return frames;
  }

  /** Ends every fault of the HTTP side. */
  clearHttp(): void {
    this.failures = [];
    this.delays = [];
    this.losses = [];
  }
}

function take<T extends HttpFault>(faults: T[], path: string): T | undefined {
  const index = faults.findIndex((fault) => fault.path === undefined || fault.path === path);
  const fault = faults[index];
  if (fault === undefined) return undefined;
  fault.times -= 1;
  if (fault.times <= 0) faults.splice(index, 1);
  return fault;
}
