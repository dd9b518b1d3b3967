import type { Clock } from '../system/clock.js';
import type { Outbound } from '../system/Outbound.js';
import { freshId } from '../system/random.js';
import { type Credentials, credentialsFor, refusalRemedy, requestHeaders } from './credentials.js';
import { HttpClient, type HttpOutcome } from './HttpClient.js';
import type { Loss } from './linkTypes.js';
import { ackBody, asObject, PING_FRAME } from './protocol.js';
import { agentIdFor, fitting, readSaved } from './Registration.js';
import type { BackendSecrets, BackendSettings } from './settings.js';
import { WebSocketClient } from './WebSocketClient.js';

interface ProbeOptions {
  readonly settings: BackendSettings;
  readonly secrets: BackendSecrets;
  /** What the store keeps of an earlier registration. */
  readonly registration: string | undefined;
  readonly outbound: Outbound;
  readonly version: string;
  readonly clock: Clock;
  /** Of each question, in ms. */
  readonly timeoutMs: number;
}

/** Questions to the backend that change nothing there: no registration, no sync, no command is taken. */
export interface Probe {
  readonly agentId: string;
  readonly credentials: Credentials;
  /** Whether HTTP lets us in, asked with an ack of a command that never was. */
  askHttp(): Promise<HttpOutcome>;
  /** Whether the WebSocket lets us in, and how fast it answers. Only while no agent runs. */
  askSocket(): Promise<SocketProbe>;
  /** What to do about a refusal; `skewMs` is the backend's clock minus ours, if it is known. */
  remedy(skewMs: number | null): string;
}

/** Either may be all that a backend has. */
const ACK_PATHS = ['/edge/command/ack', '/edge/ack_command'];

/** Asks as the agent would: with its id, its credentials and its headers. Nothing is asked before a question is. */
export function probe(options: ProbeOptions): Probe {
  const { settings, secrets, outbound, version, clock, timeoutMs } = options;
  const saved = readSaved(options.registration);
  const agentId = agentIdFor(settings, saved);
  const credentialsOf = (url: string) =>
    credentialsFor({
      secrets,
      settings,
      agentId,
      registeredToken: fitting(saved, settings)?.token,
      url,
      now: clock.now(),
    });
  const headersOf = (url: string): { headers: Record<string, string> } | { refused: string } => {
    const granted = credentialsOf(url);
    if (granted.kind === 'none') return { refused: granted.message };
    return { headers: requestHeaders(agentId, version, granted.token) };
  };
  const credentials = credentialsOf(settings.httpBase);
  return {
    agentId,
    credentials,
    async askHttp() {
      const http = new HttpClient({
        clock,
        outbound,
        base: () => settings.httpBase,
        headers: headersOf,
        onOutcome: () => undefined,
      });
      try {
        const body = ackBody({
          commandId: freshId('doctor'),
          error: 'edge-agent doctor asks whether it is let in; there is no such command',
          at: clock.now(),
          revision: 1,
        });
        let outcome: HttpOutcome = { kind: 'failed', cause: 'aborted', detail: 'nothing was requested' };
        for (const path of ACK_PATHS) {
          outcome = await http.post({ path, body, timeoutMs });
          if (outcome.kind !== 'status' || outcome.status !== 404) break;
        }
        return outcome;
      } finally {
        http.close();
      }
    },
    async askSocket() {
      const url = settings.webSocketUrl(agentId);
      const granted = headersOf(url);
      if ('refused' in granted) {
        return { kind: 'lost', openMs: undefined, loss: { kind: 'failed', detail: granted.refused } };
      }
      return probeSocket({ url, headers: granted.headers, outbound, clock, timeoutMs });
    },
    remedy: (skewMs) => refusalRemedy(credentials.kind === 'token' ? credentials.mode : null, skewMs),
  };
}

/** How far a dial came. Times in ms. `unanswered`: the socket opened and no pong came in time. */
type SocketProbe =
  | { readonly kind: 'answered'; readonly openMs: number; readonly rttMs: number }
  | { readonly kind: 'unanswered'; readonly openMs: number }
  | { readonly kind: 'lost'; readonly openMs: number | undefined; readonly loss: Loss }
  | { readonly kind: 'timedOut' };

interface SocketProbeOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly outbound: Outbound;
  readonly clock: Clock;
  /** The whole of it ends by then, in ms. */
  readonly timeoutMs: number;
}

/**
 * Dials once, sends one ping and closes at its pong. Commands that the backend hands over meanwhile are not acked, so it
 * offers them again. Only while no agent runs: a backend may take this socket for the agent's own and drop that. Never
 * rejects.
 */
function probeSocket({ url, headers, outbound, clock, timeoutMs }: SocketProbeOptions): Promise<SocketProbe> {
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
      { url, headers, outbound, now: () => clock.now() },
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
