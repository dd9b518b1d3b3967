import { createConnection } from 'node:net';
import type { OperatorRequest, OperatorResult, OperatorVerb } from '../model/operatorApi.js';
import { type Clock, systemClock } from '../system/clock.js';

/** What to do about an agent that is there, perhaps, and does not answer. */
export const CANNOT_ASK_REMEDY = 'Run this as the user who runs the agent; if you did, restart the agent.';

/**
 * The daemon's answer, or why there is none. `cannotTell` must never be read as "not running"; `wasAsked`: the request
 * may have reached the daemon, and may be carried out; `mayPass`: a retry in a moment may succeed.
 */
export type DaemonAnswer<Result = unknown> =
  | { kind: 'answered'; result: Result }
  | { kind: 'refused'; code: string; message: string; remedy: string }
  | { kind: 'notRunning' }
  | { kind: 'cannotTell'; message: string; wasAsked: boolean; mayPass?: boolean };

/** Asks a daemon one thing. Ends by its own deadline, or within `timeoutMs`; never throws. */
export type AskDaemon = <Verb extends OperatorVerb>(
  request: OperatorRequest<Verb>,
  timeoutMs?: number,
) => Promise<DaemonAnswer<OperatorResult<Verb>>>;

/**
 * Asks the daemon behind the socket one thing. Ends within `timeoutMs`; never throws. What it answers is what the API says: it
 * is this program, or one that only ever adds fields.
 */
export function askDaemon<Verb extends OperatorVerb>(
  path: string,
  request: OperatorRequest<Verb>,
  timeoutMs?: number,
): Promise<DaemonAnswer<OperatorResult<Verb>>> {
  return askSocket(path, request, timeoutMs);
}

/** Puts any question to a socket of that kind. */
export function askSocket<Result>(
  path: string,
  request: object,
  timeoutMs = 5_000,
  clock: Clock = systemClock,
): Promise<DaemonAnswer<Result>> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    let reply = '';
    let wasAsked = false;
    const end = (answer: DaemonAnswer<Result>) => {
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    const timer = clock.after(timeoutMs, () =>
      end({
        kind: 'cannotTell',
        message: `the daemon did not answer within ${timeoutMs / 1000} s`,
        wasAsked,
      }),
    );
    socket.setEncoding('utf8');
    socket.on('connect', () => {
      wasAsked = true;
      socket.write(`${JSON.stringify(request)}\n`);
    });
    socket.on('data', (chunk: string) => {
      reply += chunk;
    });
    socket.on('end', () => end(read(reply)));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const { code = '' } = error;
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return end({ kind: 'notRunning' });
      // EAGAIN: more ask at once than it has accepted.
      end({ kind: 'cannotTell', message: `${path}: ${error.message}`, wasAsked, mayPass: code === 'EAGAIN' });
    });
  });
}

function read<Result>(reply: string): DaemonAnswer<Result> {
  try {
    const parsed = JSON.parse(reply) as {
      ok: boolean;
      result: Result;
      error?: { code: string; message: string; remedy: string };
    };
    if (parsed.ok) return { kind: 'answered', result: parsed.result };
    const { code = 'internal', message = 'no reason given', remedy = '' } = parsed.error ?? {};
    return { kind: 'refused', code, message, remedy };
  } catch (error) {
    return {
      kind: 'cannotTell',
      message: `the daemon's answer is not JSON (${String(error)})`,
      wasAsked: true,
    };
  }
}
