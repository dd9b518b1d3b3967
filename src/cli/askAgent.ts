import { type ConfigPlaces, usualStateDirectory } from '../config/places.js';
import { findStateDirectory } from '../config/stateDirectory.js';
import { EdgeError } from '../errors.js';
import { type DaemonAnswer, WAITING_VERB } from '../status/askDaemon.js';
import { askAt } from './askAt.js';
import { EXIT } from './exitCodes.js';
import { places } from './places.js';
import { complain } from './print.js';

/** What to do where there seems to be an agent that does not answer. */
export const CANNOT_ASK_REMEDY = 'Run this as the user whose agent it is; if that is so, restart the agent.';

export interface AgentAnswer {
  directory: string;
  answer: DaemonAnswer;
}

/**
 * Asks the agent of the configured state directory. Where the configuration does not tell it, the service that waits for
 * it to be mended is asked; without one that is said, with exit code 78.
 */
export async function askAgent(
  options: { configPath?: string },
  request: { verb: string } & Record<string, unknown>,
): Promise<AgentAnswer | { exitCode: number }> {
  const where = places(options);
  try {
    const directory = await findStateDirectory(where);
    return { directory, answer: await askAt(directory, request) };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const directory = await waitingService(where);
    if (directory !== undefined) return { directory, answer: await askAt(directory, request) };
    complain(`edge-agent: ${error.message}`, error.remedy);
    return { exitCode: EXIT.invalidConfig };
  }
}

/** The usual place, if what answers there is a service that waits: an agent that runs there has another configuration. */
async function waitingService(where: ConfigPlaces): Promise<string | undefined> {
  const directory = usualStateDirectory(where);
  const answer = await askAt(directory, { verb: WAITING_VERB });
  return answer.kind === 'answered' ? directory : undefined;
}

/** Says why there is no result; the exit code for it. */
export function noResult({ directory, answer }: AgentAnswer): number {
  if (answer.kind === 'notRunning') {
    complain(`edge-agent: No edge-agent is running on ${directory}.`, 'Start it: edge-agent run');
    return EXIT.notRunning;
  }
  if (answer.kind === 'refused') {
    complain(`edge-agent: ${answer.message}`, answer.remedy);
    return EXIT.failed;
  }
  const why = answer.kind === 'cannotTell' ? `: ${answer.message}` : '';
  complain(`edge-agent: The agent cannot be asked${why}.`, CANNOT_ASK_REMEDY);
  return EXIT.cannotTell;
}
