import { EdgeError } from '../../errors.js';
import { AgentSide } from '../../kit/transcript/AgentSide.js';
import { BackendSide } from '../../kit/transcript/BackendSide.js';
import { readTranscript, type Transcript } from '../../kit/transcript/entry.js';
import { systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { packageVersion } from '../../system/version.js';
import { isSomebodyThere, yesOrNo } from '../config/ask.js';
import { EXIT } from '../exitCodes.js';
import { complain, complainOf, print } from '../print.js';
import { untilSignal } from '../untilSignal.js';
import { readTarget } from './conformanceTarget.js';

export interface ReplayFlags {
  readonly to?: string;
  readonly listen?: string;
  readonly speed: string;
  readonly secretFile?: string;
  readonly phone?: string;
  readonly agentId?: string;
  readonly yes?: boolean;
}

/**
 * Plays one side of a transcript: the agent's to a backend (`--to`; exit 1 if it behaves differently than recorded), or
 * the backend's to any agent that connects (`--listen`), until it is stopped.
 */
export async function replay(options: ReplayFlags, path: string): Promise<number> {
  const speed = Number(options.speed);
  const isEither = (options.to === undefined) !== (options.listen === undefined);
  if (!isEither || !(speed > 0)) {
    complain(
      `edge-agent: ${isEither ? '--speed: expected a number above 0' : 'give either --to or --listen'}`,
    );
    return EXIT.usage;
  }
  try {
    const transcript = readTranscript(path);
    if (options.to !== undefined) return await playAgent(transcript, options, options.to, speed);
    return await playBackend(transcript, Number(options.listen), speed);
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return error.code === 'internal' ? EXIT.failed : EXIT.usage;
  }
}

async function playAgent(
  transcript: Transcript,
  options: ReplayFlags,
  to: string,
  speed: number,
): Promise<number> {
  const { url, secret, agent } = readTarget(options, to, environment());
  const requests = transcript.entries.filter(({ kind }) => kind === 'request').length;
  complain(
    `This sends ${requests} requests to ${url} as ${agent.id}, including messages, which the backend answers as usual.`,
    'Texts and numbers are made up. An agent with this id that is connected now is disconnected.',
  );
  const isAsked = isSomebodyThere() && options.yes !== true;
  if (isAsked && !(await yesOrNo('Go on?', 'yes'))) return EXIT.usage;
  const version = packageVersion();
  const log = (line: string) => print(line);
  const side = new AgentSide(transcript, { url, secret, agent, version, clock: systemClock, speed, log });
  const comparisons = await side.play();
  const different = comparisons.filter(({ was, is }) => was !== is);
  print('', `${comparisons.length - different.length} the same, ${different.length} different`);
  for (const { what, was, is } of different) print(`  ${what}: then ${was}, now ${is}`);
  return different.length === 0 ? EXIT.ok : EXIT.failed;
}

async function playBackend(transcript: Transcript, port: number, speed: number): Promise<number> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    complain('edge-agent: --listen: expected a port from 0 to 65535');
    return EXIT.usage;
  }
  const stopped = untilSignal();
  const log = (line: string) => print(line);
  const side = await BackendSide.start(transcript, { port, clock: systemClock, speed, log });
  print(
    `The backend of the transcript listens on ${side.url}. An agent that connects to it gets the recorded commands. On a Mac`,
    'they go to made-up numbers, but the answers go to ANYONE WHO WRITES to it. Use a separate state directory:',
    `  EDGE_SECRET=any BACKEND_URL=${side.url} EDGE_STATE_DIRECTORY=/tmp/edge-agent-replay edge-agent run`,
  );
  await stopped;
  await side.stop();
  return EXIT.ok;
}
