import type { ServerFrames } from '../model/monitorFrames.js';
import type { RequestFault } from '../model/problem.js';
import type { ClientClock, ClientTimer } from './clock.js';

/** A request that got no result. `code` is one of the agent's, or `disconnected`, or `no_answer`. */
export class MonitorError extends Error {
  override readonly name = 'MonitorError';
  readonly code: string;
  readonly remedy: string;

  constructor({ code, message, remedy }: RequestFault) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

interface Open {
  resolve: (result: unknown) => void;
  reject: (error: MonitorError) => void;
  deadline: ClientTimer;
}

/** The requests that wait for their response. Each one ends: with it, at its deadline, or with the connection. */
export class OpenRequests {
  private readonly open = new Map<string, Open>();
  private count = 0;

  constructor(
    private readonly clock: ClientClock,
    private readonly timeoutMs: number,
  ) {}

  /** `send` gets the id that the response will carry. */
  start(send: (id: string) => void): Promise<unknown> {
    this.count += 1;
    const id = `r${this.count}`;
    return new Promise((resolve, reject) => {
      const deadline = this.clock.after(this.timeoutMs, () =>
        this.end(id)?.reject(
          new MonitorError({
            code: 'no_answer',
            message: `The agent did not answer within ${this.timeoutMs / 1000} s.`,
            remedy: 'Try again.',
          }),
        ),
      );
      this.open.set(id, { resolve, reject, deadline });
      send(id);
    });
  }

  answered(response: ServerFrames['response']): void {
    const request = this.end(response.id);
    if (response.ok) request?.resolve(response.result);
    else request?.reject(new MonitorError(response.error));
  }

  disconnected(): void {
    for (const id of [...this.open.keys()]) this.end(id)?.reject(disconnected());
  }

  private end(id: string): Open | undefined {
    const request = this.open.get(id);
    this.open.delete(id);
    request?.deadline.cancel();
    return request;
  }
}

/** The error of a request without a connection. */
export function disconnected(): MonitorError {
  return new MonitorError({
    code: 'disconnected',
    message: 'There is no connection to the agent.',
    remedy: 'It reconnects on its own; try again after that.',
  });
}
