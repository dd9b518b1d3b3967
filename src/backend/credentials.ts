import { createHmac } from 'node:crypto';
import { httpBase, webSocketUrl } from '../config/backendUrls.js';
import type { LoadedConfig } from '../config/loadConfig.js';
import type { Logger } from '../logging/Logger.js';
import { agentIdOf } from '../model/agentId.js';
import type { ErrorCode } from '../model/errorCodes.js';
import type { Problem } from '../model/problem.js';
import type { Circuit } from '../system/Circuit.js';
import type { Clock } from '../system/clock.js';
import { isLoopback } from '../system/network.js';
import { iso } from '../system/time.js';
import { BackendTime } from './BackendTime.js';
import { HttpClient, type HttpOutcome, NO_SUCH_ENDPOINT } from './HttpClient.js';
import type { DialTarget } from './Link.js';
import { type Loss, lossWords } from './linkTypes.js';
import { asObject } from './protocol.js';
import { Reachability } from './Reachability.js';
import { Registration } from './Registration.js';
import {
  type BackendOptions,
  type BackendSecrets,
  type BackendSettings,
  backendSettings,
  type Timings,
} from './settings.js';

/** What to put behind `Authorization: Bearer`, or why there is nothing that may be put there. */
export type Credentials =
  | {
      readonly kind: 'token';
      readonly token: string;
      readonly mode: 'pinned' | 'hmac' | 'secret' | 'registered';
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'none'; readonly code: ErrorCode; readonly message: string; readonly remedy: string };

export interface CredentialInput {
  readonly secrets: BackendSecrets;
  readonly settings: Pick<BackendSettings, 'userPhone' | 'authMode' | 'allowPlainSecret'>;
  readonly agentId: string;
  /** The `auth_token` of the registration, the last resort. */
  readonly registeredToken?: string | undefined;
  /** Where the credentials would go. */
  readonly url: string;
  /** Unix ms. */
  readonly now: number;
}

/**
 * The credentials of one request or handshake, by the precedence of protocol §1. An HMAC token is created at each call.
 * Never a token for a host that is not this machine and is not reached by TLS.
 */
export function credentialsFor(input: CredentialInput): Credentials {
  const { settings, agentId } = input;
  const warnings: string[] = [];
  const secret = trimmed('EDGE_SECRET', input.secrets.edgeSecret, warnings);
  const pinned = trimmed('EDGE_TOKEN', input.secrets.edgeToken, warnings);
  const target = new URL(input.url);
  const local = isLoopback(target.hostname);
  if (!local && target.protocol !== 'https:' && target.protocol !== 'wss:') {
    return none(
      'backend_insecure',
      `The backend ${target.host} is not on this machine and its address is not https/wss.`,
      'Set backend.url (and backend.websocket_url) to an https:// or wss:// address.',
    );
  }
  const plain = (token: string): Credentials =>
    local || settings.allowPlainSecret
      ? usable(token, 'secret', warnings)
      : none(
          'plain_secret_refused',
          'The plain EDGE_SECRET would be sent as the token, and the backend is not on this machine.',
          'Set auth.mode to hmac and remove an EDGE_TOKEN that equals EDGE_SECRET; for a backend that supports only plain secrets set auth.allow_plain_secret.',
        );

  if (pinned !== undefined) {
    if (pinned === secret) return plain(pinned);
    if (secret === undefined || !isHmacToken(pinned)) return usable(pinned, 'pinned', warnings);
    warnings.push(
      'EDGE_TOKEN holds a signed token, which expires; it is ignored because EDGE_SECRET can mint fresh ones',
    );
  }
  if (secret !== undefined) {
    if (settings.authMode === 'secret') return plain(secret);
    return usable(mintToken(secret, agentId, settings.userPhone, input.now), 'hmac', warnings);
  }
  if (input.registeredToken) return usable(input.registeredToken, 'registered', warnings);
  return none(
    'secret_missing',
    'Neither EDGE_SECRET nor EDGE_TOKEN is set, so the backend cannot be used.',
    'Put EDGE_SECRET=… into the .env beside config.yaml; it is picked up without a restart.',
  );
}

/** base64("<agent>:<phone>:<seconds>:<hex hmac-sha256 of the part before it>"), as in seed 003. */
export function mintToken(secret: string, agentId: string, userPhone: string, now: number): string {
  const signed = `${agentId}:${userPhone}:${Math.floor(now / 1_000)}`;
  const signature = createHmac('sha256', secret).update(signed).digest('hex');
  return Buffer.from(`${signed}:${signature}`).toString('base64');
}

/** Whether a token has the form that `mintToken` writes, regardless of the signature. */
export function isHmacToken(token: string): boolean {
  return /^[^:]+:[^:]+:\d{9,11}:[0-9a-f]{64}$/i.test(Buffer.from(token, 'base64').toString('utf8'));
}

/** So long a signed token is good (protocol §1). */
const SIGNED_FOR_MS = 24 * 3_600_000;

/**
 * When a token expires, Unix ms: `exp` of a JSON Web Token (RFC 7519), or 24 hours after a signed one of the protocol was made. Null
 * where it does not say.
 */
export function tokenExpiry(token: string): number | null {
  if (isHmacToken(token)) {
    const [, , seconds] = Buffer.from(token, 'base64').toString('utf8').split(':');
    return Number(seconds) * 1_000 + SIGNED_FOR_MS;
  }
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return null;
  try {
    const { exp } = asObject(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))) ?? {};
    // A value outside the range of Date is ignored.
    return typeof exp === 'number' && exp > 0 && exp < 8e12 ? exp * 1_000 : null;
  } catch {
    // It only looks like one.
    return null;
  }
}

/** The headers of every request and handshake. */
export function requestHeaders(
  agentId: string,
  version: string,
  token: string | null,
): Record<string, string> {
  return {
    ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
    'X-Edge-Agent-Id': agentId,
    'User-Agent': `edge-agent/${version}`,
    'X-Edge-Protocol': '1',
  };
}

/** What to do when a backend refuses our token; `skewMs` is its clock minus ours, if known. */
export function refusalRemedy(
  mode: 'pinned' | 'hmac' | 'secret' | 'registered' | null,
  skewMs: number | null,
): string {
  const remedies = ['Check that EDGE_SECRET is the same here and on the backend'];
  if (mode === 'pinned')
    remedies.push('check EDGE_TOKEN, or remove it so that tokens are made from EDGE_SECRET');
  if (mode === 'hmac') remedies.push('if the backend supports only plain secrets, set auth.mode to secret');
  if (mode === 'secret')
    remedies.push('a production backend accepts only signed tokens: set auth.mode to hmac');
  if (skewMs !== null && Math.abs(skewMs) > 60_000) {
    const seconds = Math.round(Math.abs(skewMs) / 1_000);
    remedies.push(
      `set this machine's clock, which is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} the backend's`,
    );
  }
  return `${remedies.join('; ')}.`;
}

function trimmed(name: string, value: string | undefined, warnings: string[]): string | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (text === '') return undefined;
  if (text !== value) warnings.push(`${name} has whitespace around it, which is ignored`);
  return text;
}

function usable(
  token: string,
  mode: 'pinned' | 'hmac' | 'secret' | 'registered',
  warnings: readonly string[],
): Credentials {
  // A header takes visible ASCII only; anything else would fail at each request with Node's own words.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return none(
      'secret_missing',
      'The token holds spaces, line breaks or characters that a request header cannot carry.',
      'Copy the secret into .env again, on one line, without quotes inside it.',
    );
  }
  return { kind: 'token', token, mode, warnings };
}

function none(code: ErrorCode, message: string, remedy: string): Credentials {
  return { kind: 'none', code, message, remedy };
}

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
class Identity {
  private fault: Problem<number> | null = null;
  private expiry: number | null = null;
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

  /** When the pinned token expires, Unix ms; null where none is used, or it does not say. */
  expiresAt(): number | null {
    return this.expiry;
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
    this.expiry = credentials.mode === 'pinned' ? tokenExpiry(credentials.token) : null;
    for (const warning of credentials.warnings) {
      if (!this.warned.has(warning)) log.warn(warning);
      this.warned.add(warning);
    }
    return credentials;
  }
}

interface AccessPorts {
  readonly options: BackendOptions;
  readonly registration: Timings['registration'];
  /** HTTP turned from 401/403 to 2xx. */
  readonly onAuthorised: () => void;
  readonly onRegistered: () => void;
  /** One message was refused by 401 or 403: whether our credentials are, another request has to show. */
  readonly onDoubt: () => void;
}

/** What the end of a request says of the backend as a whole: that it is there, whatever it answered, or that it is not. */
function reportToCircuit(circuit: Circuit | undefined, path: string, outcome: HttpOutcome): void {
  if (outcome.kind === 'failed') {
    if (outcome.cause === 'aborted' || outcome.cause === 'unauthorised') return;
    circuit?.failed({ source: path, isUnread: outcome.unsent === true });
  } else if (outcome.status < 500 || NO_SUCH_ENDPOINT.has(outcome.status)) circuit?.taken();
  else circuit?.failed({ source: path, isUnread: false });
}

/** Who we are towards the backend and how it is asked: id, credentials, registration, HTTP, whether it answers. */
export class Access {
  readonly time: BackendTime;
  readonly http: HttpClient;
  readonly registration: Registration;
  readonly identity: Identity;
  readonly reachability: Reachability;
  private readonly clock: Clock;

  constructor(ports: AccessPorts) {
    this.clock = ports.options.clock;
    const { config: settings, secrets, version, clock, log, store } = ports.options;
    this.reachability = new Reachability(clock);
    this.time = new BackendTime(clock);
    this.http = new HttpClient({
      onDate: (headers) => this.time.note(headers),
      clock,
      outbound: ports.options.outbound,
      base: () => settings().httpBase,
      headers: (url, anonymous) => this.identity.headers(url, anonymous),
      onOutcome: ({ path, isAboutOne = false }, outcome) => {
        const noted = this.reachability.note(path, outcome, isAboutOne);
        reportToCircuit(ports.options.circuit, path, outcome);
        if (noted === 'authorised') ports.onAuthorised();
        if (noted === 'in_doubt') ports.onDoubt();
      },
    });
    this.registration = new Registration({
      http: this.http,
      meta: store.meta,
      settings,
      secrets,
      version,
      clock,
      log,
      ...ports.registration,
      onRegistered: ports.onRegistered,
    });
    const agentId = () => this.registration.agentId();
    const registeredToken = () => this.registration.token();
    this.identity = new Identity({ settings, secrets, version, clock, log, agentId, registeredToken });
  }

  /** Why we are blocked and what to do, for a person. */
  blockedWords(loss: Loss | null): string {
    const missing = this.identity.problem();
    if (missing) return `${missing.message} ${missing.remedy}`;
    const expiredAt = this.expiredAt();
    const expired = expiredAt === null ? '' : ` EDGE_TOKEN expired at ${iso(expiredAt)}.`;
    const words = loss === null ? '' : ` (${lossWords(loss).meaning})`;
    return `the backend refused our credentials${words}.${expired} ${this.refusalRemedy()}`;
  }

  /** When the pinned token expired by the backend's clock, Unix ms; null: it has not, or does not say. */
  expiredAt(): number | null {
    const at = this.identity.expiresAt();
    return at !== null && at <= this.clock.now() + (this.time.skewMs ?? 0) ? at : null;
  }

  refusalRemedy(): string {
    return this.identity.remedy(this.time.skewMs);
  }
}

/** Credentials to try the backend with by hand, and where it is. */
interface TrialToken {
  credentials: Credentials;
  agentId: string;
  httpBase: string;
  webSocketUrl: string;
}

/**
 * What the agent would show the backend now. `agentId` is the one that it goes by; undefined: the configured one, else the
 * one made of the phone, as before a registration.
 */
export function trialToken(loaded: LoadedConfig, agentId: string | undefined, now: number): TrialToken {
  const { config, secrets } = loaded;
  const settings = backendSettings(config);
  const id = settings.edgeAgentId ?? agentId ?? agentIdOf(settings.userPhone);
  const url = httpBase(config);
  const credentials = credentialsFor({ secrets, settings, agentId: id, url, now });
  return { credentials, agentId: id, httpBase: url, webSocketUrl: webSocketUrl(config, id) };
}
