import type { Logger } from '../logging/Logger.js';
import type { Problem } from '../model/problem.js';
import type { Clock } from '../system/clock.js';
import { type Credentials, credentialsFor, refusalRemedy, requestHeaders } from './credentials.js';
import type { DialTarget } from './Link.js';
import type { BackendSecrets, BackendSettings } from './settings.js';

interface IdentityPorts {
  readonly settings: () => BackendSettings;
  readonly secrets: () => BackendSecrets;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly agentId: () => string;
  readonly registeredToken: () => string | undefined;
}

/** Who we are towards the backend: fresh headers for each request and handshake, and why there may be none. */
export class Identity {
  private fault: Problem<number> | null = null;
  private mode: Extract<Credentials, { kind: 'token' }>['mode'] | null = null;
  private readonly warned = new Set<string>();

  constructor(private readonly ports: IdentityPorts) {}

  /** Missing or unusable credentials, since when; null while there are any. */
  problem(): Problem<number> | null {
    return this.fault;
  }

  url(): string {
    return this.ports.settings().webSocketUrl(this.ports.agentId());
  }

  /** Where and with what to dial now. */
  target(): DialTarget {
    const url = this.url();
    const credentials = this.credentials(url);
    if (credentials.kind === 'none') return { kind: 'none', reason: credentials.code };
    return { kind: 'ready', url, headers: this.headersWith(credentials.token) };
  }

  /** The headers of one HTTP request. `anonymous`: allowed without credentials where there are none. */
  headers(url: string, anonymous: boolean): { headers: Record<string, string> } | { refused: string } {
    const credentials = this.credentials(url);
    if (credentials.kind === 'token') return { headers: this.headersWith(credentials.token) };
    // An insecure address gets nothing at all: a registration carries a token in its body.
    if (anonymous && credentials.code === 'secret_missing') return { headers: this.headersWith(null) };
    return { refused: credentials.message };
  }

  /** What a person can do about a refused token. */
  remedy(skewMs: number | null): string {
    return refusalRemedy(this.mode, skewMs);
  }

  private headersWith(token: string | null): Record<string, string> {
    return requestHeaders(this.ports.agentId(), this.ports.version, token);
  }

  private credentials(url: string): Credentials {
    const { settings, secrets, clock, log, agentId, registeredToken } = this.ports;
    const credentials = credentialsFor({
      secrets: secrets(),
      settings: settings(),
      agentId: agentId(),
      registeredToken: registeredToken(),
      url,
      now: clock.now(),
    });
    if (credentials.kind === 'none') {
      const { code, message, remedy } = credentials;
      const since = this.fault?.code === code ? this.fault.since : clock.now();
      this.fault = { code, since, message, remedy };
      return credentials;
    }
    this.fault = null;
    this.mode = credentials.mode;
    for (const warning of credentials.warnings) {
      if (!this.warned.has(warning)) log.warn(warning);
      this.warned.add(warning);
    }
    return credentials;
  }
}
