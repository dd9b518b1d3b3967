import type { Clock } from '../system/clock.js';
import { freshId } from '../system/random.js';
import { type Credentials, credentialsFor, refusalRemedy, requestHeaders } from './credentials.js';
import { ackBody } from './frames.js';
import { HttpClient, type HttpOutcome } from './HttpClient.js';
import { probeSocket, type SocketProbe } from './probeSocket.js';
import { agentIdFor, fitting, readSaved } from './Registration.js';
import type { BackendSecrets, BackendSettings } from './settings.js';

interface ProbeOptions {
  readonly settings: BackendSettings;
  readonly secrets: BackendSecrets;
  /** What the store keeps of an earlier registration. */
  readonly registration: string | undefined;
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
  const { settings, secrets, version, clock, timeoutMs } = options;
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
      return probeSocket({ url, headers: granted.headers, clock, timeoutMs });
    },
    remedy: (skewMs) => refusalRemedy(credentials.kind === 'token' ? credentials.mode : null, skewMs),
  };
}
