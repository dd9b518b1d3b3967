import type { Clock } from '../system/clock.js';
import { PING_FRAME } from './frames.js';
import type { Loss } from './linkTypes.js';
import { asObject } from './protocol.js';
import { WebSocketClient } from './WebSocketClient.js';

/** How far a dial came. Times in ms. `unanswered`: the socket opened and no pong came in time. */
export type SocketProbe =
  | { readonly kind: 'answered'; readonly openMs: number; readonly rttMs: number }
  | { readonly kind: 'unanswered'; readonly openMs: number }
  | { readonly kind: 'lost'; readonly openMs: number | undefined; readonly loss: Loss }
  | { readonly kind: 'timedOut' };

interface SocketProbeOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** The whole of it ends by then, in ms. */
  readonly timeoutMs: number;
}

/**
 * Dials once, sends one ping and closes at its pong. Commands that the backend hands over meanwhile are not acked, so it
 * offers them again. Only while no agent runs: a backend may take this socket for the agent's own and drop that. Never
 * rejects.
 */
export function probeSocket({ url, headers, clock, timeoutMs }: SocketProbeOptions): Promise<SocketProbe> {
  return new Promise((resolve) => {
    const began = clock.monotonic();
    const since = (at: number) => Math.round(clock.monotonic() - at);
    let openedAt: number | undefined;
    let openMs: number | undefined;
    let answer: SocketProbe | undefined;
    const end = (probe: SocketProbe) => {
      timer.cancel();
      socket.terminate();
      resolve(probe);
    };
    const timer = clock.after(timeoutMs, () =>
      end(answer ?? (openMs === undefined ? { kind: 'timedOut' } : { kind: 'unanswered', openMs })),
    );
    const socket = new WebSocketClient(
      { url, headers, now: () => clock.now() },
      {
        opened: () => {
          openMs = since(began);
          openedAt = clock.monotonic();
          socket.send(PING_FRAME);
        },
        text: (frame) => {
          if (openedAt === undefined || openMs === undefined || answer !== undefined || !isPong(frame))
            return;
          answer = { kind: 'answered', openMs, rttMs: since(openedAt) };
          socket.close();
        },
        binary: () => undefined,
        ponged: () => undefined,
        lost: (loss) => end(answer ?? { kind: 'lost', openMs, loss }),
        answeredAt: () => undefined,
      },
    );
  });
}

function isPong(frame: string): boolean {
  try {
    return asObject(JSON.parse(frame))?.type === 'pong';
  } catch {
    // What is not JSON is no pong; the real link reports it.
    return false;
  }
}
