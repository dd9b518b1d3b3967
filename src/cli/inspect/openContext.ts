import { cpus } from 'node:os';
import { ConfigError } from '../../config/ConfigError.js';
import { knownSecrets } from '../../config/knownSecrets.js';
import { loadConfig } from '../../config/loadConfig.js';
import { networkSecrets } from '../../config/network.js';
import { findStateDirectory } from '../../config/stateDirectory.js';
import type { AgentView, CheckContext } from '../../diagnostics/checks/check.js';
import { EdgeError } from '../../errors.js';
import type { StatusSnapshot } from '../../model/status.js';
import type { DaemonAnswer } from '../../operator/askDaemon.js';
import { systemClock } from '../../system/clock.js';
import { inspectProgram, programs } from '../../system/programs.js';
import { askAt } from '../askAt.js';
import { places } from '../places.js';

export interface OpenContext {
  readonly context: CheckContext;
  /** Where reports are written; undefined if not even that is known. */
  readonly stateDirectory: string | undefined;
  /** Every secret of the configuration, to be kept out of what is shown. */
  readonly secrets: readonly string[];
}

/** What the checks of `selftest` and `doctor` look at on this machine, with or without a running agent. */
export async function openContext(options: { configPath?: string; send: boolean }): Promise<OpenContext> {
  const where = places(options);
  const config = readConfig(options);
  const passwords = config.kind === 'loaded' ? networkSecrets(config.loaded.network) : [];
  const stateDirectory = await stateDirectoryOf(options, config);
  const ask: CheckContext['askAgent'] = (request, timeoutMs) =>
    stateDirectory === undefined
      ? Promise.resolve({ kind: 'notRunning' })
      : askAt(stateDirectory, request, timeoutMs);
  const context: CheckContext = {
    platform: where.platform,
    homeDir: where.homeDir,
    env: where.env,
    node: { path: process.execPath, version: process.version },
    programs: programs(),
    inspect: inspectProgram,
    processor: cpus()[0]?.model ?? '',
    clock: systemClock,
    config,
    agent: agentView(await ask({ verb: 'status' })),
    askAgent: ask,
    send: options.send,
    confirm,
  };
  return { context, stateDirectory, secrets: [...secretsOf(options), ...passwords] };
}

function readConfig(options: { configPath?: string }): CheckContext['config'] {
  try {
    return { kind: 'loaded', loaded: loadConfig(places(options)) };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    // The checks have remedies for errors in a file; for anything else only the error has one.
    const isOfFile = error instanceof ConfigError && error.hasFile;
    return { kind: 'invalid', why: error.message, ...(isOfFile ? {} : { remedy: error.remedy }) };
  }
}

async function stateDirectoryOf(
  options: { configPath?: string },
  config: CheckContext['config'],
): Promise<string | undefined> {
  if (config.kind === 'loaded') return config.loaded.config.state.directory;
  try {
    return await findStateDirectory(places(options));
  } catch (error) {
    // The check of the configuration says what is wrong with it.
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}

function secretsOf(options: { configPath?: string }): readonly string[] {
  try {
    return knownSecrets(places(options));
  } catch (error) {
    // The check of the configuration says what cannot be read.
    if (error instanceof EdgeError) return [];
    throw error;
  }
}

function agentView(answer: DaemonAnswer<StatusSnapshot>): AgentView {
  switch (answer.kind) {
    case 'answered':
      return { kind: 'up', snapshot: answer.result };
    case 'notRunning':
      return { kind: 'down' };
    default:
      return { kind: 'unclear', message: answer.message };
  }
}

/** Only at a terminal; in a script `--send` is already the answer. */
async function confirm(question: string): Promise<boolean> {
  const { isSomebodyThere, yesOrNo } = await import('../config/ask.js');
  return !isSomebodyThere() || yesOrNo(question, 'no');
}
