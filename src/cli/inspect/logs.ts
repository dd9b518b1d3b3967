import { existsSync, statSync } from 'node:fs';
import { ConfigError } from '../../config/ConfigError.js';
import { loadConfig } from '../../config/loadConfig.js';
import type { ConfigPlaces } from '../../config/places.js';
import { findStateDirectory } from '../../config/stateDirectory.js';
import { logFileInForce } from '../../diagnostics/checks/logFileInForce.js';
import { describeError, EdgeError } from '../../errors.js';
import { logFiles } from '../../logging/LogRotation.js';
import { LogTail } from '../../logging/LogTail.js';
import { askDaemon } from '../../operator/askDaemon.js';
import { socketPath } from '../../operator/socketPath.js';
import { systemClock } from '../../system/clock.js';
import { EXIT } from '../exitCodes.js';
import { interruption, wait } from '../interruption.js';
import { places } from '../places.js';
import { complain, complainOf, print, printJson, stdoutTerminal } from '../print.js';
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
 * Prints what the log says, from its rotated files and the current one, and with `follow` what is written from then on,
 * over rotations. Reads the files itself, so that it works without an agent, and with a configuration that has mistakes;
 * an agent that runs is asked which files those are.
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
      'Run this as the user whose agent it is.',
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
  const { lines, tail } = readAll(file);
  if (lines.length === 0 && !existsSync(file)) complain(`There is no log yet at ${file}`);
  try {
    const wanted = filter.entries(lines);
    give(wanted.slice(Math.max(0, wanted.length - most)));
    const isSearch = lines.length > 0 && wanted.length === 0;
    if (isSearch) complain(`edge-agent: None of the ${lines.length} lines of the log is of that kind.`);
    if (options.follow !== true) return EXIT.ok;
    const stop = interruption();
    while (!stop.aborted) {
      give(filter.entries(tail.read()));
      await wait(LOOK_EVERY_MS, stop);
    }
    return EXIT.ok;
  } finally {
    tail.close();
  }
}

/**
 * The lines of all files, the oldest first, and the current file to go on with; anew if the log was rotated meanwhile,
 * which would show some of them twice.
 */
function readAll(file: string): { lines: string[]; tail: LogTail } {
  for (;;) {
    const mark = rotationMark(file);
    const tail = new LogTail(file, 'start');
    const newest = tail.read();
    const older = logFiles(file).slice(0, -1).flatMap(linesOf);
    if (rotationMark(file) === mark) return { lines: [...older, ...newest], tail };
    tail.close();
  }
}

/** Another one after each rotation. */
function rotationMark(file: string): number | undefined {
  return statSync(`${file}.1`, { throwIfNoEntry: false })?.ino;
}

function linesOf(path: string): string[] {
  const tail = new LogTail(path, 'start');
  try {
    return tail.read();
  } finally {
    tail.close();
  }
}

/**
 * The file in force, else the one that is configured; where the configuration has mistakes, the usual one, which is
 * where the agent told them.
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
    // What is wrong with the configuration is told by those who read it next.
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}
