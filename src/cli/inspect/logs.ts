import { ConfigError } from '../../config/ConfigError.js';
import { loadConfig } from '../../config/loadConfig.js';
import type { ConfigPlaces } from '../../config/places.js';
import { findStateDirectory } from '../../config/stateDirectory.js';
import { logFileInForce } from '../../diagnostics/checks/logFileInForce.js';
import { describeError, EdgeError } from '../../errors.js';
import { LogFiles } from '../../logging/LogFiles.js';
import { LogTail } from '../../logging/LogTail.js';
import { askDaemon } from '../../operator/askDaemon.js';
import { socketPath } from '../../operator/socketPath.js';
import { systemClock } from '../../system/clock.js';
import { EXIT } from '../exitCodes.js';
import { interruption, wait } from '../interruption.js';
import { places } from '../places.js';
import { complain, complainOf, drained, print, printJson, stdoutTerminal } from '../print.js';
import { type LogEntry, LogFilter, type LogWish, logWish } from './LogFilter.js';

export interface LogsOptions {
  configPath?: string;
  follow?: boolean;
  lines?: number;
  since?: string;
  level?: string;
  grep?: string;
  id?: string;
  json?: boolean;
}

const USUAL_LINES = 50;
const LOOK_EVERY_MS = 200;
/** An agent that hangs is what a log is read for. */
const ANSWER_WITHIN_MS = 1_000;

/**
 * Prints the log from its rotated files and the current one, and with `follow` new lines, across rotations. Reads the
 * files itself, so that it works without an agent, and with an invalid configuration; a running agent is asked which
 * files those are.
 */
export async function logs(options: LogsOptions): Promise<number> {
  const wish = logWish(options, systemClock.now());
  if ('fault' in wish) {
    complain(`edge-agent: ${wish.fault}`, 'More: edge-agent logs --help');
    return EXIT.usage;
  }
  try {
    const file = await logFile(options);
    return await show(file, options, wish);
  } catch (error) {
    if (error instanceof EdgeError) {
      complainOf(error);
      return error.code.startsWith('config_') ? EXIT.invalidConfig : EXIT.failed;
    }
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    complain(
      `edge-agent: The log cannot be read: ${describeError(error)}.`,
      'Run this as the user who runs the agent.',
    );
    return EXIT.cannotTell;
  }
}

async function show(file: string, options: LogsOptions, wish: LogWish): Promise<number> {
  const filter = new LogFilter(wish, stdoutTerminal());
  const give = (entries: readonly LogEntry[]) => {
    for (const entry of entries) {
      if (options.json === true) printJson(entry.record, true);
      else print(entry.shown);
    }
  };
  const most = options.lines ?? (wish.since === undefined && wish.id === undefined ? USUAL_LINES : Infinity);
  const files = LogFiles.open(file);
  let hasGiven = false;
  try {
    for (const entries of wantedOf(files, filter, wish, most)) {
      hasGiven ||= entries.length > 0;
      give(entries);
      await drained();
    }
    if (files.end === undefined && files.isEmpty) complain(`There is no log yet at ${file}`);
    else if (!hasGiven && !files.isEmpty && most > 0) complain('edge-agent: No log line matches.');
  } finally {
    files.close();
  }
  if (options.follow === true)
    await follow(new LogTail(file, files.end ?? 'start'), (lines) => give(filter.entries(lines)));
  return EXIT.ok;
}

async function follow(tail: LogTail, give: (lines: string[]) => void): Promise<void> {
  const stop = interruption();
  try {
    while (!stop.aborted) {
      give(tail.read());
      await wait(LOOK_EVERY_MS, stop);
    }
  } finally {
    tail.close();
  }
}

/** The newest `most` wanted lines in the order of the log, in pieces; with no limit each piece as it is found. */
function* wantedOf(
  files: LogFiles,
  filter: LogFilter,
  { since }: LogWish,
  most: number,
): Generator<readonly LogEntry[]> {
  if (most === Infinity) {
    for (const block of files.oldestFirst(since)) yield filter.ofBlock(block);
    return;
  }
  const found: LogEntry[][] = [];
  let left = most;
  for (const block of files.newestFirst()) {
    if (left <= 0) break;
    const entries = filter.ofBlock(block).slice(-left);
    left -= entries.length;
    found.push(entries);
  }
  yield* found.toReversed();
}

/**
 * The file in use, else the configured one; if the configuration has errors, the usual one, where the agent reported
 * them.
 */
async function logFile(options: LogsOptions): Promise<string> {
  const where = places(options);
  const inForce = await fileInForce(where);
  if (inForce !== undefined) return inForce;
  try {
    return loadConfig(where).config.logging.file;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(
      'edge-agent: The configuration is invalid (edge-agent config check); reading the usual log file.',
    );
    return `${await findStateDirectory(where)}/edge-agent.log`;
  }
}

/** Where the agent that runs writes. */
async function fileInForce(where: ConfigPlaces): Promise<string | undefined> {
  try {
    const socket = socketPath(await findStateDirectory(where));
    return await logFileInForce((request) => askDaemon(socket, request, ANSWER_WITHIN_MS));
  } catch (error) {
    // Errors of the configuration are reported by the next code that reads it.
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}
