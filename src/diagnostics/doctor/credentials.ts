import { tokenExpiry } from '../../backend/credentials.js';
import { type HttpOutcome, NO_SUCH_ENDPOINT } from '../../backend/HttpClient.js';
import { type Loss, lossWords } from '../../backend/linkTypes.js';
import type { Probe } from '../../backend/probe.js';
import type { StatusSnapshot } from '../../model/status.js';
import { ago, iso, since } from '../../system/time.js';
import { type Check, type ConfiguredBench, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import type { Way } from './network.js';

/** What the agent says of its credentials, over HTTP and in general. */
const REFUSALS = new Set([
  'secret_missing',
  'plain_secret_refused',
  'backend_insecure',
  'backend_unauthorised',
  'token_expired',
  'registration_refused',
]);
const LINK_FAULTS = new Set([
  ...REFUSALS,
  'backend_unreachable',
  'websocket_unavailable',
  'websocket_refused',
  'agent_duplicated',
  'link_unstable',
]);
const AUTH_STATUSES = new Set([401, 403]);

/**
 * Whether the backend lets us in. A second connection with the same id would push out that of a running agent, so while
 * one runs it is asked; else we ask the backend ourselves, in a way that takes no command away.
 */
export function credentialChecks(way: Way, probeOf: (context: ConfiguredBench) => Probe): readonly Check[] {
  return [
    {
      id: 'auth',
      title: 'the backend accepts our credentials',
      async run(context) {
        const { agent } = context;
        if (agent.kind === 'unclear') return skip('an agent seems to be running but does not respond');
        if (agent.kind === 'up') return runningAuth(agent.snapshot, context.clock.now());
        if (way.brokenAt !== undefined) return skip(`${way.brokenAt} failed`);
        const probe = probeOf(context);
        const { credentials } = probe;
        if (credentials.kind === 'none') return fail(credentials.message, credentials.remedy);
        const began = context.clock.monotonic();
        const outcome = await probe.askHttp();
        const ms = Math.round(context.clock.monotonic() - began);
        const refusal = probe.remedy(way.skewMs ?? null);
        const judged = judgeAuth(outcome, `as ${probe.agentId}, in ${ms} ms`, refusal);
        way.isLetIn = judged.verdict === 'PASS';
        const expiresAt = credentials.mode === 'pinned' ? tokenExpiry(credentials.token) : null;
        if (judged.verdict !== 'FAIL' || expiresAt === null || expiresAt > context.clock.now()) return judged;
        return fail(
          `${judged.evidence}: EDGE_TOKEN expired at ${iso(expiresAt)}`,
          'Put a new EDGE_TOKEN into .env, or EDGE_SECRET in its place.',
        );
      },
    },
    {
      id: 'websocket',
      title: 'the real-time link opens and answers',
      async run(context) {
        const { agent, config } = context;
        if (!config.loaded.config.websocket.enabled) return skip('websocket.enabled is false');
        if (agent.kind === 'unclear') return skip('an agent seems to be running but does not respond');
        if (agent.kind === 'up') return runningLink(agent.snapshot, context.clock.now());
        if (way.brokenAt !== undefined) return skip(`${way.brokenAt} failed`);
        const probe = probeOf(context);
        if (probe.credentials.kind === 'none') return skip('there are no credentials');
        const found = await probe.askSocket();
        switch (found.kind) {
          case 'answered':
            return pass(`opened in ${found.openMs} ms, ping answered in ${found.rttMs} ms`);
          case 'unanswered':
            return fail(
              `opened in ${found.openMs} ms, but a ping was not answered`,
              'The backend must answer {"type":"ping"} with {"type":"pong"}; check whether a proxy delays frames.',
            );
          case 'timedOut':
            return fail(
              'no answer to the handshake',
              'Check whether a proxy or firewall refuses WebSockets.',
            );
          case 'lost':
            return lostOutcome(found.loss, way, probe.remedy(way.skewMs ?? null));
        }
      },
    },
  ];
}

function runningAuth({ problems, vital_signs: signs }: StatusSnapshot, now: number): Outcome {
  const refusal = problems.find(({ code }) => REFUSALS.has(code));
  if (refusal !== undefined) return fail(`the running agent: ${refusal.message}`, refusal.remedy);
  const unreachable = problems.find(({ code }) => code === 'backend_unreachable');
  if (unreachable !== undefined) return skip(`the running agent: ${unreachable.message}`);
  const proofs = [signs?.commands_reach_us, signs?.can_post].filter((sign) => sign?.state === 'ok');
  const [proof] = proofs;
  if (proof !== undefined)
    return pass(`the running agent is accepted: ${proof.evidence} ${ago(proof.evidence_at, now)}`);
  const failing = problems.find(({ code }) => signs?.commands_reach_us.codes.includes(code));
  if (failing !== undefined)
    return warn(
      `the credentials of the running agent have not been checked: ${failing.message}`,
      failing.remedy,
    );
  return skip('the running agent has not been answered by the backend yet');
}

function runningLink(
  { link, link_detail: detail, problems, vital_signs: signs }: StatusSnapshot,
  now: number,
): Outcome {
  const unsteady = problems.find(({ code }) => signs?.link_stable.codes.includes(code));
  if (link === 'realtime' && unsteady !== undefined)
    return fail(`the running agent: ${unsteady.message}`, unsteady.remedy);
  if (link === 'realtime') {
    const rtt =
      detail.rtt_ms === null ? 'no ping answered yet' : `ping answered in ${Math.round(detail.rtt_ms)} ms`;
    return pass(
      `the running agent: ${rtt}, online for ${since(detail.since, now)}, ${detail.reconnects_24h} reconnects in 24 h`,
    );
  }
  const fault = problems.find(({ code }) => LINK_FAULTS.has(code));
  const evidence = `the running agent: ${link}, ${detail.state} for ${since(detail.since, now)}`;
  if (fault !== undefined) return fail(`${evidence}: ${fault.message}`, fault.remedy);
  return warn(evidence, 'Wait a minute and run this again; to try now: edge-agent kick');
}

function judgeAuth(outcome: HttpOutcome, how: string, remedy: string): Outcome {
  switch (outcome.kind) {
    case 'ok':
      return pass(`HTTP ${outcome.status} ${how}`);
    case 'failed':
      return fail(outcome.detail, 'Check the network and backend.url.');
    case 'status': {
      const evidence = `${outcome.detail} ${how}`;
      if (AUTH_STATUSES.has(outcome.status)) return fail(evidence, remedy);
      // The credentials are looked at before what is asked.
      if ([400, 409, 410, 422].includes(outcome.status)) return pass(evidence);
      if (NO_SUCH_ENDPOINT.has(outcome.status))
        return skip(`${evidence}: this backend accepts no acks by HTTP`);
      return warn(`${evidence}: no proof either way`, 'Ask the operator of the backend.');
    }
  }
}

function lostOutcome(loss: Loss, { isLetIn }: Way, refusal: string): Outcome {
  const isAlone = loss.kind === 'refused' && isLetIn === true;
  const { meaning, remedy } = lossWords(isAlone ? { ...loss, httpTakesUs: true } : loss);
  const isRefused =
    (loss.kind === 'refused' && AUTH_STATUSES.has(loss.status) && !isAlone) ||
    (loss.kind === 'closed' && [1008, 4001, 4401, 4403].includes(loss.code));
  return fail(meaning, isRefused ? `${remedy} ${refusal}` : remedy);
}
