import { findStateDirectory } from '../config/stateDirectory.js';
import { EdgeError } from '../errors.js';
import { askDaemon, type DaemonAnswer } from '../status/askDaemon.js';
import { socketPath } from '../status/socketPath.js';
import { EXIT } from './exitCodes.js';
import { places } from './places.js';
import { complain } from './print.js';

/** What to do where there seems to be an agent that does not answer. */
export const CANNOT_ASK_REMEDY = 'Run this as the user whose agent it is; if that is so, restart the agent.';

export interface AgentAnswer {
  directory: string;
  answer: DaemonAnswer;
}

/** Asks the agent of the configured state directory; a configuration that does not tell it is said, with exit code 78. */
export async function askAgent(
  options: { configPath?: string },
  request: { verb: string } & Record<string, unknown>,
): Promise<AgentAnswer | { exitCode: number }> {
  try {
    const directory = await findStateDirectory(places(options));
    return { directory, answer: await askDaemon(socketPath(directory), request) };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complain(`edge-agent: ${error.message}`, error.remedy);
    return { exitCode: EXIT.invalidConfig };
  }
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
