/** Which keepalive questions go unanswered. `json`: `{type:"ping"}`; `websocket`: the ping of RFC 6455. */
export type HeldPongs = 'json' | 'websocket' | 'all';

/** What to do with an upgrade request: answer it, answer with this status instead, or never answer. */
type UpgradeFault =
  | { kind: 'none' }
  | { kind: 'status'; status: number; retryAfter?: number }
  | { kind: 'hang' };

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
 * The faults that were asked for and are not yet used up. Only data: the doors ask it at each step what to do.
 * Of several that fit, the one asked for first is used first.
 */
export class Faults {
  upgrade: UpgradeFault = { kind: 'none' };
  pongs: HeldPongs | null = null;
  /** How many of the next commands go out twice. */
  duplicates = 0;
  /** Whether a message that comes again gets another reflex. */
  repeatReflexes = false;
  private failures: HttpFailure[] = [];
  private delays: HttpDelay[] = [];
  private losses: HttpFault[] = [];

  fail(failure: HttpFailure): void {
    this.failures.push(failure);
  }

  delay(delay: HttpDelay): void {
    this.delays.push(delay);
  }

  lose(loss: HttpFault): void {
    this.losses.push(loss);
  }

  /** Takes the failure that the next request to `path` gets instead of an answer. */
  takeFailure(path: string): HttpFailure | undefined {
    return take(this.failures, path);
  }

  /** Takes how long, in ms, the next request to `path` waits before it is looked at. */
  takeDelay(path: string): number {
    return take(this.delays, path)?.ms ?? 0;
  }

  /** Takes whether the next request to `path` is carried out without its caller ever hearing of it. */
  takeLoss(path: string): boolean {
    return take(this.losses, path) !== undefined;
  }

  takeDuplicate(): boolean {
    if (this.duplicates === 0) return false;
    this.duplicates -= 1;
    return true;
  }

  holdsPong(of: 'json' | 'websocket'): boolean {
    return this.pongs === 'all' || this.pongs === of;
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
