import { createInterface } from 'node:readline/promises';
import { loadConfig } from '../config/loadConfig.js';
import { findStateDirectory } from '../config/stateDirectory.js';
import { describeError, EdgeError } from '../errors.js';
import type { AgentView, Bench, Verdict } from '../selftest/check.js';
import { concealer, saveReport } from '../selftest/report.js';
import { type Finding, runSelftest } from '../selftest/runSelftest.js';
import { askDaemon, type DaemonAnswer } from '../status/askDaemon.js';
import type { StatusSnapshot } from '../status/snapshot.js';
import { socketPath } from '../status/socketPath.js';
import { systemClock } from '../system/clock.js';
import { programs } from '../system/programs.js';
import { packageVersion } from '../system/version.js';
import { EXIT } from './exitCodes.js';
import { places } from './places.js';
import { complain, print, printJson, wantsColour } from './print.js';

export interface SelftestCommand {
  configPath?: string;
  json?: boolean;
  send?: boolean;
}

/**
 * Puts every assumption about this machine to the test and saves what was found. With or without a running agent. Exit 0
 * without a FAIL, 78 when the configuration is invalid, else 1.
 */
export async function selftest(options: SelftestCommand): Promise<number> {
  const where = places(options);
  const config = readConfig(options);
  const directory = await stateDirectoryOf(options, config);
  const ask: Bench['askAgent'] = (request) =>
    directory === undefined
      ? Promise.resolve({ kind: 'notRunning' })
      : askDaemon(socketPath(directory), request);
  const bench: Bench = {
    platform: where.platform,
    homeDir: where.homeDir,
    env: where.env,
    node: { path: process.execPath, version: process.version },
    programs: programs(),
    clock: systemClock,
    config,
    agent: agentView(await ask({ verb: 'status' })),
    askAgent: ask,
    send: options.send === true,
    confirm,
  };
  const secrets = config.kind === 'loaded' ? Object.values(config.loaded.secrets) : [];
  const colour = wantsColour(process.stdout, where.env);
  const report = await runSelftest({
    bench,
    version: packageVersion(),
    conceal: concealer(secrets, where.homeDir),
    ...(options.json ? {} : { onFinding: (finding) => print(...lines(finding, colour)) }),
  });
  const { summary } = report;
  if (options.json) printJson(report);
  else print('', `${summary.PASS} PASS, ${summary.WARN} WARN, ${summary.FAIL} FAIL, ${summary.SKIP} SKIP`);
  if (directory !== undefined) save(() => saveReport(report, directory), options.json === true);
  if (config.kind === 'invalid') return EXIT.invalidConfig;
  return summary.FAIL === 0 ? EXIT.ok : EXIT.failed;
}

function readConfig(options: SelftestCommand): Bench['config'] {
  try {
    return { kind: 'loaded', loaded: loadConfig(places(options)) };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return { kind: 'invalid', why: error.message };
  }
}

/** Where reports go and the agent is asked; undefined where not even that can be told. */
async function stateDirectoryOf(
  options: SelftestCommand,
  config: Bench['config'],
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

function agentView(answer: DaemonAnswer): AgentView {
  switch (answer.kind) {
    case 'answered':
      return { kind: 'up', snapshot: answer.result as StatusSnapshot };
    case 'notRunning':
      return { kind: 'down' };
    default:
      return { kind: 'unclear', message: answer.message };
  }
}

/** Only where somebody sits at a terminal; `--send` in a script is the answer already. */
async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

const COLOURS: Readonly<Record<Verdict, number>> = { PASS: 32, WARN: 33, FAIL: 31, SKIP: 90 };

function lines({ id, verdict, evidence, remedy }: Finding, colour: boolean): string[] {
  const shown = colour ? `\u001b[${COLOURS[verdict]}m${verdict}\u001b[0m` : verdict;
  const result = `${shown}  ${id.padEnd(16)} ${evidence}`;
  return remedy === undefined || remedy === '' ? [result] : [result, `      → ${remedy}`];
}

function save(write: () => string, json: boolean): void {
  try {
    const path = write();
    if (!json) print(`Saved: ${path}`);
  } catch (error) {
    complain(`edge-agent: The report could not be saved: ${describeError(error)}`);
  }
}
