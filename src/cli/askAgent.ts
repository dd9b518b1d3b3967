import { existsSync } from 'node:fs';
import { type ConfigPlaces, findConfigFile, usualStateDirectory } from '../config/places.js';
import { findStateDirectory } from '../config/stateDirectory.js';
import type { StoppedVerb } from '../daemon/stoppedVerbs.js';
import { EdgeError } from '../errors.js';
import type { OperatorRequest, OperatorResult, OperatorVerb } from '../model/operatorApi.js';
import { CANNOT_ASK_REMEDY, type DaemonAnswer } from '../operator/askDaemon.js';
import { servicePlaces } from '../service/servicePlaces.js';
import { systemClock } from '../system/clock.js';
import { askAt } from './askAt.js';
import { EXIT } from './exitCodes.js';
import { places } from './places.js';
import { complain, complainOf } from './print.js';
import { storeLog } from './storeLog.js';

/** What else is to be known of a request that changes something and got no answer. */
export const MAYBE_DONE = 'It may still be done as soon as the agent responds: see edge-agent status.';

export interface AgentAnswer<Result = unknown> {
  /** Where the configuration was looked for. */
  where: ConfigPlaces;
  directory: string;
  answer: DaemonAnswer<Result>;
}

/** What is in the way for a moment (an agent that starts or stops, another verb at the store) is waited for so long, in ms. */
const PATIENCE_MS = 10_000;
/** Status is requested often, so it returns the current state. */
const STATUS_PATIENCE_MS = 1_000;
const ASK_AGAIN_MS = 200;

/**
 * Queries the agent of the configured state directory. If the configuration does not show it, the agent of the last
 * state directory is queried, or the service that waits for it to be corrected; if there is none, it says so and exits
 * with 78.
 */
export async function askAgent<Verb extends OperatorVerb>(
  options: { configPath?: string },
  request: OperatorRequest<Verb>,
  timeoutMs?: number,
): Promise<AgentAnswer<OperatorResult<Verb>> | { exitCode: number }> {
  const patience = request.verb === 'status' ? STATUS_PATIENCE_MS : PATIENCE_MS;
  const { fault, ...asked } = await patiently(patience, () => askPlace(options, request, timeoutMs));
  return fault !== undefined && asked.answer.kind === 'notRunning' ? unreadable(fault) : asked;
}

/**
 * The same of what can be done while no agent runs: then it is done on the store, under its lock, and that is said on stderr. An
 * agent that starts meanwhile is asked.
 */
export async function askAgentOrStore<Verb extends StoppedVerb>(
  options: { configPath?: string },
  request: OperatorRequest<Verb>,
): Promise<AgentAnswer<OperatorResult<Verb>> | { exitCode: number }> {
  const { fault, isLast, ...asked } = await patiently(PATIENCE_MS, async () => {
    const place = await askPlace(options, request);
    if (place.answer.kind !== 'notRunning' || (place.fault !== undefined && !place.isLast)) return place;
    return { ...place, answer: await askStore(options, place.directory, request) };
  });
  if (fault !== undefined && asked.answer.kind === 'notRunning') return unreadable(fault);
  if (fault !== undefined && isLast)
    complain(
      `edge-agent: ${fault.message} The state directory of the last start was used: ${asked.directory}`,
    );
  return asked;
}

interface Asked<Result> extends AgentAnswer<Result> {
  /** Why the configuration does not show the directory, if so. */
  readonly fault?: EdgeError;
  /** Whether the directory is then that of the last start. */
  readonly isLast?: boolean;
}

async function askPlace<Verb extends OperatorVerb>(
  options: { configPath?: string },
  request: OperatorRequest<Verb>,
  timeoutMs?: number,
): Promise<Asked<OperatorResult<Verb>>> {
  const where = places(options);
  let fault: EdgeError;
  try {
    const directory = await findStateDirectory(where);
    return { where, directory, answer: await askAt(directory, request, timeoutMs) };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    fault = error;
  }
  // Loaded for this case alone.
  const { configInQuestion, lastStateDirectory } = await import('../config/lastDirectory.js');
  const last = lastStateDirectory(where);
  if (last !== undefined) {
    const answer = await askAt(last, request, timeoutMs);
    if (answer.kind !== 'notRunning') return { where, directory: last, answer, fault, isLast: true };
  }
  // The usual place, if what answers there is a service that waits for this very configuration.
  const usual = usualStateDirectory(where);
  const waiting = await askAt(usual, { verb: 'waiting' });
  if (waiting.kind === 'answered' && waiting.result.config === configInQuestion(where))
    return { where, directory: usual, answer: await askAt(usual, request, timeoutMs), fault };
  const answer = { kind: 'notRunning' } as const;
  return { where, directory: last ?? usual, answer, fault, isLast: last !== undefined };
}

/** Asks again until nothing that passes is in the way, or the time is over; the last answer. */
async function patiently<A extends Asked<unknown>>(patienceMs: number, ask: () => Promise<A>): Promise<A> {
  const end = systemClock.monotonic() + patienceMs;
  for (;;) {
    const asked = await ask();
    const { answer } = asked;
    const isPassing =
      answer.kind === 'cannotTell'
        ? !answer.wasAsked && answer.mayPass === true
        : answer.kind === 'refused' && answer.code === 'already_running';
    if (!isPassing || systemClock.monotonic() >= end) return asked;
    await new Promise<void>((resolve) => systemClock.after(ASK_AGAIN_MS, resolve));
  }
}

function unreadable(fault: EdgeError): { exitCode: number } {
  complainOf(fault);
  return { exitCode: EXIT.invalidConfig };
}

async function askStore<Verb extends StoppedVerb>(
  options: { configPath?: string },
  directory: string,
  request: OperatorRequest<Verb>,
): Promise<DaemonAnswer<OperatorResult<Verb>>> {
  // Loaded for this case alone.
  const [{ stoppedVerbs }, { loadConfig }] = await Promise.all([
    import('../daemon/stoppedVerbs.js'),
    import('../config/loadConfig.js'),
  ]);
  const config = () => loadConfig(places(options)).config;
  const verbs = stoppedVerbs({ directory, config, log: storeLog });
  const { verb, ...args } = request;
  // What is asked for is what the API has for the verb; the compiler cannot follow the one to the other.
  const act = verbs[verb] as (args: object) => OperatorResult<Verb>;
  try {
    const result = act(args);
    complain(
      'edge-agent: No agent is running; its store was used directly. Changes take effect at the next start.',
    );
    return { kind: 'answered', result };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const { code, message, remedy } = error;
    return code === 'not_running' ? { kind: 'notRunning' } : { kind: 'refused', code, message, remedy };
  }
}

/**
 * How an agent that does not run is started: on a Mac as the service that it is, for in a terminal it would have the
 * permissions of that terminal, and the service would wait behind it.
 */
export function startRemedy(where: ConfigPlaces): string {
  if (where.platform !== 'darwin') return 'Start it: edge-agent run';
  if (isInstalled(where)) return 'Start it: edge-agent start';
  return findConfigFile(where) === null ? 'Set it up: edge-agent setup' : 'Install it: edge-agent install';
}

/** When a setting that is read only at the start takes effect; said before it is written. */
export async function afterRestart(options: { configPath?: string }): Promise<string> {
  const { where, answer } = await patiently(STATUS_PATIENCE_MS, () => askPlace(options, { verb: 'runtime' }));
  if (answer.kind === 'notRunning') return `It takes effect at the next start. ${startRemedy(where)}`;
  const isService = (answer.kind === 'answered' ? answer.result.is_service : undefined) ?? isInstalled(where);
  const restart = isService ? 'edge-agent restart' : 'stop the agent (Ctrl-C), then edge-agent run';
  return `It takes effect after a restart: ${restart}`;
}

function isInstalled({ homeDir, platform }: ConfigPlaces): boolean {
  return platform === 'darwin' && existsSync(servicePlaces(homeDir).plist);
}

/** Says why there is no result, and `ifAsked` where the agent may have been reached; the exit code for it. */
export function noResult({ where, directory, answer }: AgentAnswer, ifAsked?: string): number {
  if (answer.kind === 'notRunning') {
    complain(`edge-agent: No edge-agent is running on ${directory}.`, startRemedy(where));
    return EXIT.notRunning;
  }
  if (answer.kind === 'refused') {
    complain(`edge-agent: ${answer.message}`, answer.remedy);
    return EXIT.failed;
  }
  const why = answer.kind === 'cannotTell' ? `: ${answer.message}` : '';
  const mayBeDone = ifAsked !== undefined && answer.kind === 'cannotTell' && answer.wasAsked;
  complain(
    `edge-agent: The agent does not respond${why}.`,
    ...(mayBeDone ? [ifAsked] : []),
    CANNOT_ASK_REMEDY,
  );
  return EXIT.cannotTell;
}
