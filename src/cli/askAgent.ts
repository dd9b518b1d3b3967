import { existsSync } from 'node:fs';
import { type ConfigPlaces, usualStateDirectory } from '../config/places.js';
import { findStateDirectory } from '../config/stateDirectory.js';
import { EdgeError } from '../errors.js';
import type { OperatorRequest, OperatorResult, OperatorVerb } from '../model/operatorApi.js';
import { CANNOT_ASK_REMEDY, type DaemonAnswer } from '../operator/askDaemon.js';
import { servicePlaces } from '../service/servicePlaces.js';
import { askAt } from './askAt.js';
import { EXIT } from './exitCodes.js';
import { places } from './places.js';
import { complain, complainOf } from './print.js';

/** What else is to be known of a request that changes something and got no answer. */
export const MAYBE_DONE = 'It may still be done as soon as the agent responds: see edge-agent status.';

export interface AgentAnswer<Result = unknown> {
  directory: string;
  answer: DaemonAnswer<Result>;
}

/**
 * Asks the agent of the configured state directory. Where the configuration does not tell it, the service that waits for
 * it to be mended is asked; without one that is said, with exit code 78.
 */
export async function askAgent<Verb extends OperatorVerb>(
  options: { configPath?: string },
  request: OperatorRequest<Verb>,
): Promise<AgentAnswer<OperatorResult<Verb>> | { exitCode: number }> {
  const where = places(options);
  try {
    const directory = await findStateDirectory(where);
    return { directory, answer: await askAt(directory, request) };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const directory = await waitingService(where);
    if (directory !== undefined) return { directory, answer: await askAt(directory, request) };
    complainOf(error);
    return { exitCode: EXIT.invalidConfig };
  }
}

/** The usual place, if what answers there is a service that waits: an agent that runs there has another configuration. */
async function waitingService(where: ConfigPlaces): Promise<string | undefined> {
  const directory = usualStateDirectory(where);
  const answer = await askAt(directory, { verb: 'waiting' });
  return answer.kind === 'answered' ? directory : undefined;
}

/**
 * How an agent that does not run is started: the installed one as the service that it is, for in a terminal it would have
 * the permissions of that terminal, and the service would wait behind it.
 */
export function startRemedy(): string {
  return `Start it: edge-agent ${isInstalled() ? 'start' : 'run'}`;
}

/** How it is started anew, in the same way. */
export function restartRemedy(): string {
  return isInstalled() ? 'edge-agent restart' : 'stop it, then edge-agent run';
}

function isInstalled(): boolean {
  const { homeDir, platform } = places({});
  return platform === 'darwin' && existsSync(servicePlaces(homeDir).plist);
}

/** Says why there is no result, and `ifAsked` where the agent may have been reached; the exit code for it. */
export function noResult({ directory, answer }: AgentAnswer, ifAsked?: string): number {
  if (answer.kind === 'notRunning') {
    complain(`edge-agent: No edge-agent is running on ${directory}.`, startRemedy());
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
