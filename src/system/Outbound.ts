import { type ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { PeerCertificate, SecureContext } from 'node:tls';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { describeError } from '../errors.js';
import { exhaustion, systemCode } from './failures.js';
import { type NamedProxy, type Network, proxyFor, proxyName } from './network.js';
import { trustedCertificates } from './trustedCertificates.js';
import { VERIFIED_TLS } from './verifiedTls.js';

/** How long a proxy may take to open a way, in ms. */
const TUNNEL_MS = 10_000;

interface AgentOptions {
  readonly keepAlive: boolean;
  readonly maxSockets?: number;
}

/** How one URL is reached. */
export interface WayOut {
  readonly proxy: NamedProxy | undefined;
  /** Options of every request, handshake and TLS connection to it: always verified, by the certificates that are trusted. */
  readonly tls: typeof VERIFIED_TLS & { readonly secureContext?: SecureContext };
  /** A new agent for requests and WebSockets; the caller destroys it, or keeps no connections in it. */
  readonly agent: (options: AgentOptions) => HttpAgent;
}

/**
 * Decides how connections leave this machine: by which proxy, and whose certificates are trusted. Everything that the agent opens
 * to another machine asks here. Verification is the same by every way, and a proxy sees no more than the name of the host.
 */
export class Outbound {
  private routes = new Map<string, WayOut>();
  private context: SecureContext | undefined;
  private isContextMade = false;
  private of: Network;

  /** `network` is read at each use: a change counts for the next connection. */
  constructor(
    private readonly network: () => Network,
    /** For tests. */
    private readonly tunnelMs = TUNNEL_MS,
  ) {
    this.of = network();
  }

  /** The way to the host of a URL that is used again and again, such as the backend. */
  route(url: URL): WayOut {
    this.look();
    const route = this.routes.get(url.origin) ?? this.routeTo(url);
    this.routes.set(url.origin, route);
    return route;
  }

  /** The options of one request to a URL, over a separate connection. */
  once(url: URL): WayOut['tls'] & { readonly agent: HttpAgent } {
    this.look();
    const { tls, agent } = this.routeTo(url);
    return { ...tls, agent: agent({ keepAlive: false }) };
  }

  /** The proxy for a URL; undefined: none. */
  proxy(url: URL): NamedProxy | undefined {
    return proxyFor(this.network(), url);
  }

  private look(): void {
    const network = this.network();
    if (network === this.of) return;
    this.of = network;
    this.routes = new Map();
    this.isContextMade = false;
  }

  private routeTo(url: URL): WayOut {
    const isSecure = url.protocol === 'https:' || url.protocol === 'wss:';
    const proxy = proxyFor(this.of, url);
    const trusted = isSecure || proxy?.url.startsWith('https:') ? this.secureContext() : undefined;
    const { tunnelMs } = this;
    const base = { ...VERIFIED_TLS, ...(trusted === undefined ? {} : { secureContext: trusted }) };
    return {
      proxy,
      tls: base,
      agent(options) {
        if (proxy !== undefined) return new TunnelAgent(proxy, tunnelMs, { ...base, ...options });
        return new (isSecure ? HttpsAgent : HttpAgent)({ ...base, ...options });
      },
    };
  }

  /** Made once for each network: it holds hundreds of certificates. */
  private secureContext(): SecureContext | undefined {
    if (!this.isContextMade) {
      const ca = trustedCertificates(this.of.ca);
      this.context =
        ca === undefined ? undefined : createSecureContext({ ca, minVersion: VERIFIED_TLS.minVersion });
      this.isContextMade = true;
    }
    return this.context;
  }
}

/** That the way through the proxy did not open: nothing has reached the host behind it. */
class ProxyError extends Error {
  override readonly name = 'ProxyError';
  /** Only missing resources of this machine; any other code would be mistaken for one of the host. */
  readonly code?: string;

  constructor(proxy: NamedProxy, why: string, code: string | undefined) {
    super(`the proxy ${proxyName(proxy)} opens no connection: ${why}`);
    if (code !== undefined && exhaustion(code) !== undefined) this.code = code;
  }
}

type TunnelOptions = AgentOptions & WayOut['tls'];
type ConnectArguments = Parameters<HttpsProxyAgent<string>['connect']>;

/**
 * Opens each connection by CONNECT (RFC 9110 §9.3.6), so that TLS ends at the host. An answer of the proxy never counts
 * as an answer of the host, and a proxy that does not answer is given up after 10 s.
 */
class TunnelAgent extends HttpsProxyAgent<string> {
  constructor(
    private readonly named: NamedProxy,
    private readonly patienceMs: number,
    options: TunnelOptions,
  ) {
    // Without user name and password, which the library logs where DEBUG asks for it.
    super(proxyName(named), { ...options, headers: authorization(named) });
  }

  override async connect(...[request, options]: ConnectArguments) {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), this.patienceMs);
    const judge = ({ statusCode }: { statusCode: number }) => {
      if (statusCode !== 200) throw new Error(refusal(statusCode));
    };
    request.once('proxyConnect', judge);
    this.connectOpts = { ...this.connectOpts, signal: giveUp.signal };
    try {
      return await super.connect(request, judgedByHost(options));
    } catch (error) {
      const why = giveUp.signal.aborted ? `no answer within ${this.patienceMs / 1_000} s` : wordsOf(error);
      // Lets go of the connection to the proxy.
      giveUp.abort();
      throw new ProxyError(this.named, why, systemCode(error));
    } finally {
      clearTimeout(timer);
      (request as ClientRequest).removeListener('proxyConnect', judge);
    }
  }
}

/**
 * Has the certificate judged by the host that is asked. Within a tunnel TLS knows it by its server name alone; an address is none
 * (RFC 6066), and Node would judge by the name of the proxy.
 */
function judgedByHost(options: ConnectArguments[1]): ConnectArguments[1] {
  if (!options.secureEndpoint) return options;
  const host = options.servername || options.host || '';
  return {
    ...options,
    checkServerIdentity: (_name: string, certificate: PeerCertificate) =>
      checkServerIdentity(host, certificate),
  };
}

function refusal(status: number): string {
  if (status === 407) return 'it needs a user name and password (HTTP 407), or rejects those given';
  return `it answers HTTP ${status}`;
}

function authorization({ url }: NamedProxy): Record<string, string> {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return {};
  const credentials = Buffer.from(`${plain(username)}:${plain(password)}`).toString('base64');
  return { 'Proxy-Authorization': `Basic ${credentials}` };
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that encodes nothing is itself.
    return text;
  }
}

/** Node's AggregateError for a name with several addresses has no message of its own. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return wordsOf(error.errors[0]);
  return describeError(error);
}
