import { userInfo } from 'node:os';
import { WebSocket } from 'ws';
import { findStateDirectory } from '../../config/stateDirectory.js';
import { EdgeError } from '../../errors.js';
import { MonitorSecret } from '../../monitor/MonitorSecret.js';
import { makeToken, SESSION_MS, USER_PATTERN } from '../../monitor/tokens.js';
import { MonitorClient, type WebSocketConstructor } from '../../monitor-client/index.js';
import { askDaemon } from '../../operator/askDaemon.js';
import { socketPath } from '../../operator/socketPath.js';
import { systemClock } from '../../system/clock.js';
import { EXIT } from '../exitCodes.js';
import { interruption } from '../interruption.js';
import { places } from '../places.js';
import { complain, complainOf, print, printJson, stdoutTerminal } from '../print.js';
import { TextReader } from './TextReader.js';
import { WatchStream } from './WatchStream.js';
import { entryLine, WATCH_TYPES, watchWish } from './watchEntry.js';

/** As the agent writes it. */
const CURSOR = /^\d{1,15}(-[0-9a-f]{8})?$/;

export interface WatchOptions {
  configPath?: string;
  conversation?: string;
  type?: string;
  since?: string;
  texts?: boolean;
  json?: boolean;
}

/**
 * Prints what the agent does as it happens, one line an event, until SIGINT or SIGTERM. It waits for an agent that is
 * not running, and continues when it is back. No text is left out or shown twice meanwhile, nor since the cursor of an
 * earlier watch; other events from the meantime are not shown.
 */
export async function watchMonitor(options: WatchOptions): Promise<number> {
  const wish = watchWish(options);
  if ('fault' in wish) {
    complain(`edge-agent: ${wish.fault}`, `There are: ${WATCH_TYPES.join(', ')}`);
    return EXIT.usage;
  }
  if (options.since !== undefined && !CURSOR.test(options.since)) {
    const what = `"${options.since}" is not a cursor.`;
    complain(`edge-agent: --since: ${what}`, 'Use one that watch printed, or 0 for all kept texts.');
    return EXIT.usage;
  }
  let directory: string;
  try {
    directory = await findStateDirectory(places(options));
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.invalidConfig;
  }
  const client = new MonitorClient({
    url: async () => {
      wish.conversation = await keyOf(directory, wish.conversation);
      return monitorAddress(directory);
    },
    token: () => freshToken(directory),
    WebSocket: WebSocket as unknown as WebSocketConstructor,
    topics: wish.topics,
  });
  const stream = new WatchStream(client, wish, systemClock, (entry) => {
    if (options.json === true) printJson(entry.record, true);
    else print(entryLine(entry, stdoutTerminal()));
  });
  let printed = '';
  // One line a change, not one an attempt.
  const printNotice = (words: string) => {
    if (words !== printed) complain(`edge-agent: ${words}`);
    printed = words;
  };
  client.on('state', (state) => {
    if (state.name === 'waiting') printNotice(`${state.why}; waiting for it.`);
  });
  const reader = new TextReader(client, options.since, {
    text: (message) => stream.message(message),
    ready: () => printNotice('Watching.'),
    gap: (words) => complain(`edge-agent: ${words}`),
    refused: () =>
      printNotice('The running agent is an earlier version, which keeps no texts. Run: edge-agent restart'),
  });
  client.connect();
  const stop = interruption();
  await new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()));
  reader.stop();
  stream.stop();
  client.close();
  const { cursor } = reader;
  if (cursor !== undefined) complain(`edge-agent: To continue from here: edge-agent watch --since ${cursor}`);
  return EXIT.ok;
}

/** Queried at each attempt: after a restart the port may be different. */
async function monitorAddress(directory: string): Promise<string> {
  const answer = await askDaemon(socketPath(directory), { verb: 'status' });
  if (answer.kind === 'notRunning') throw new Error(`No edge-agent is running on ${directory}`);
  if (answer.kind !== 'answered') throw new Error(`The agent does not respond (${answer.message})`);
  const { port } = answer.result.monitor;
  if (port === null) throw new Error('The agent does not serve the monitor (monitor.enabled, monitor.port)');
  return `ws://127.0.0.1:${port}/ws`;
}

/** The key of a conversation according to the agent; unchanged while there is no agent to ask. */
async function keyOf(directory: string, conversation: string | undefined): Promise<string | undefined> {
  if (conversation === undefined) return undefined;
  const answer = await askDaemon(socketPath(directory), { verb: 'conversation.key', conversation });
  return answer.kind === 'answered' ? answer.result : conversation;
}

/** By the secret file, which only the agent's own user can read. */
function freshToken(directory: string): Promise<string> {
  const { username } = userInfo();
  return makeToken(MonitorSecret.in(directory).key(), {
    use: 'session',
    user: USER_PATTERN.test(username) ? username : 'operator',
    ttlMs: SESSION_MS,
    now: systemClock.now(),
  });
}
