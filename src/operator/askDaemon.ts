import { createConnection } from 'node:net';
import { type Clock, systemClock } from '../system/clock.js';

/** Answered by a service that waits until it can run, and by nobody else. */
export const WAITING_VERB = 'waiting';

/** What to do about an agent that is there, perhaps, and does not answer. */
export const CANNOT_ASK_REMEDY = 'Run this as the user whose agent it is; if that is so, restart the agent.';

/**
 * What the daemon said, or why nobody said anything. `cannotTell` is never to be read as "not running"; `wasAsked`: what was
 * asked for has reached it, perhaps, and may be carried out.
 */
export type DaemonAnswer =
  | { kind: 'answered'; result: unknown }
  | { kind: 'refused'; code: string; message: string; remedy: string }
  | { kind: 'notRunning' }
  | { kind: 'cannotTell'; message: string; wasAsked: boolean };

/** Asks the daemon behind the socket one thing. Ends within `timeoutMs`; never throws. */
export function askDaemon(
  path: string,
  request: { verb: string } & Record<string, unknown>,
  timeoutMs = 5_000,
  clock: Clock = systemClock,
): Promise<DaemonAnswer> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    let reply = '';
    let wasAsked = false;
    const end = (answer: DaemonAnswer) => {
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
      const isAbsent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      end(
        isAbsent
          ? { kind: 'notRunning' }
          : { kind: 'cannotTell', message: `${path}: ${error.message}`, wasAsked },
      );
    });
  });
}

function read(reply: string): DaemonAnswer {
  try {
    const parsed = JSON.parse(reply) as {
      ok: boolean;
      result?: unknown;
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
