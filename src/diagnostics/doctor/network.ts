import { isIP } from 'node:net';
import { type NamedProxy, type Network, proxyFor, proxyName } from '../../system/network.js';
import { Outbound } from '../../system/Outbound.js';
import { type Check, type ConfiguredBench, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { readLaunchAgent } from '../checks/launchAgent.js';
import {
  askHealth,
  type HttpAnswer,
  reach,
  resolveName,
  secure,
  type Target,
  type TimedStep,
} from './steps.js';

const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS = 14;
/** The agent itself names a skew above this; backends allow a signed token a few minutes. */
const SKEW_WARN_MS = 60_000;
const SKEW_FAIL_MS = 240_000;
const PLACE = 'Check the network of this Mac, backend.url and backend.proxy.';

/** What the steps so far have found out, for those behind them and for the checks of the credentials. */
export interface Way {
  /** The first step that failed. */
  brokenAt?: string;
  /** The backend's clock minus ours in ms. */
  skewMs?: number;
  /** HTTP takes our credentials. */
  isLetIn?: boolean;
}

/** The way to the backend, step by step, each timed: none of them needs credentials or disturbs a running agent. */
export function networkChecks(way: Way): readonly Check[] {
  const step =
    (id: string, run: (context: ConfiguredBench) => Promise<Outcome>) =>
    async (context: ConfiguredBench): Promise<Outcome> => {
      if (way.brokenAt !== undefined) return skip(`${way.brokenAt} failed`);
      const outcome = await run(context);
      if (outcome.verdict === 'FAIL') way.brokenAt = id;
      return outcome;
    };
  return [
    { id: 'proxy', title: 'the route to other machines', run: proxyOutcome },
    { id: 'dns', title: "the backend's name resolves", run: step('dns', dns) },
    { id: 'tcp', title: 'the backend accepts connections', run: step('tcp', tcp) },
    { id: 'tls', title: "the backend's certificate is valid", run: step('tls', tls) },
    {
      id: 'http',
      title: 'the backend answers HTTP',
      run: step('http', async (context) => {
        const asked = await askHealth(
          context.clock,
          outboundOf(context),
          urlOf(context).href.replace(/\/+$/, ''),
        );
        if (asked.kind === 'done') noteSkew(way, asked.value);
        return judgeHttp(asked);
      }),
    },
    { id: 'clock', title: "the clock agrees with the backend's", run: () => clockOutcome(way) },
  ];
}

function proxyOutcome(context: ConfiguredBench): Outcome {
  const { network } = context.config.loaded;
  const url = urlOf(context);
  const proxy = proxyFor(networkInForce(context), url);
  const unseen = proxyFor(network, url);
  if (proxy === undefined && unseen !== undefined)
    return warn(
      `directly: ${unseen.place} is set here, but services of launchd do not get it`,
      'If the agent needs the proxy, set backend.proxy (in .env: EDGE_BACKEND_PROXY=http://…).',
    );
  if (proxy === undefined) return pass('directly, without a proxy');
  return pass(`through the proxy ${proxyName(proxy)}, from ${proxy.place}`);
}

/** That of the agent: a service of launchd has no variable of this terminal. */
function networkInForce({ config: { loaded }, homeDir }: ConfiguredBench): Network {
  const { network } = loaded;
  if (readLaunchAgent(homeDir) === undefined) return network;
  const seen = (proxy: NamedProxy | undefined) => (proxy?.isOfProcess === true ? undefined : proxy);
  return { ...network, https: seen(network.https), http: seen(network.http) };
}

/** How the agent reaches other machines. */
export function outboundOf(context: ConfiguredBench): Outbound {
  const network = networkInForce(context);
  return new Outbound(() => network);
}

async function dns(context: ConfiguredBench): Promise<Outcome> {
  const target = targetOf(context);
  if (isIP(target.host) !== 0) return pass(`${target.host} is already an address`);
  const found = await resolveName(context.clock, target);
  const remedy = `Check the spelling of backend.url (and backend.proxy) and the network; by hand: nslookup ${target.host}`;
  if (found.kind === 'failed') return failed(found, remedy);
  return pass(`${target.host} has ${found.value} addresses, in ${found.ms} ms`);
}

async function tcp(context: ConfiguredBench): Promise<Outcome> {
  const target = targetOf(context);
  const reached = await reach(context.clock, target);
  if (reached.kind === 'failed')
    return failed(reached, `${PLACE} By hand: nc -vz ${target.host} ${target.port}`);
  return pass(`${target.host} port ${target.port}, in ${reached.ms} ms`);
}

async function tls(context: ConfiguredBench): Promise<Outcome> {
  if (urlOf(context).protocol !== 'https:') return skip('plain http, which is allowed on this machine only');
  const shaken = await secure(context.clock, outboundOf(context), urlOf(context));
  if (shaken.kind === 'failed') {
    const remedy =
      'Install a valid certificate for this name on the backend, and check the date of this Mac; a certificate of your own authority, or of a proxy that opens TLS, needs backend.ca_file.';
    return failed(shaken, remedy);
  }
  const { protocol, endsAt } = shaken.value;
  const days = Math.floor((endsAt - context.clock.now()) / DAY_MS);
  const evidence = `${protocol}, in ${shaken.ms} ms; the certificate is valid for ${days} days`;
  if (days < CERTIFICATE_DAYS) return warn(evidence, 'Renew the certificate of the backend.');
  return pass(evidence);
}

function judgeHttp(asked: TimedStep<HttpAnswer>): Outcome {
  if (asked.kind === 'failed') return failed(asked, PLACE);
  const { status } = asked.value;
  const evidence = `HTTP ${status} to /health, in ${asked.ms} ms`;
  if (status >= 500)
    return fail(evidence, 'The backend fails, or a proxy in front of it cannot reach it: ask its operator.');
  if (status >= 300 && status < 400)
    return fail(
      evidence,
      'The agent does not follow redirects: set backend.url to the address that it leads to.',
    );
  return pass(evidence);
}

function noteSkew(way: Way, { dateMs, askedAt }: HttpAnswer): void {
  // The header has whole seconds: on average it is half a second late.
  if (dateMs !== undefined) way.skewMs = Math.round(dateMs + 500 - askedAt);
}

function clockOutcome({ skewMs }: Way): Outcome {
  if (skewMs === undefined) return skip('no answer with a Date header');
  const seconds = Math.abs(skewMs) / 1_000;
  const evidence = `${seconds.toFixed(seconds < 10 ? 1 : 0)} s ${skewMs > 0 ? 'behind' : 'ahead of'} the backend`;
  const remedy =
    'System Settings → General → Date & Time → set automatically; by hand: sudo sntp -sS time.apple.com';
  if (Math.abs(skewMs) >= SKEW_FAIL_MS) return fail(evidence, remedy);
  return Math.abs(skewMs) >= SKEW_WARN_MS ? warn(evidence, remedy) : pass(evidence);
}

function failed({ why, ms }: { why: string; ms: number }, remedy: string): Outcome {
  return fail(`${why} (after ${ms} ms)`, remedy);
}

function urlOf({ config: { loaded } }: ConfiguredBench): URL {
  return new URL(loaded.config.backend.url);
}

/** Whom the first connection goes to: a proxy looks up the name of the backend itself. */
function targetOf(context: ConfiguredBench): Target {
  const backend = urlOf(context);
  const proxy = proxyFor(networkInForce(context), backend);
  const { hostname, port, protocol } = proxy === undefined ? backend : new URL(proxy.url);
  const usual = protocol === 'https:' ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual : Number(port) };
}
