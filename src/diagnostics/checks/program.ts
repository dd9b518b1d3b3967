import { readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EdgeError } from '../../errors.js';
import { CANNOT_ASK_REMEDY } from '../../operator/askDaemon.js';
import { openDatabase } from '../../store/sqlite.js';
import { appAround } from '../../system/nodeProgram.js';
import { type Check, type CheckContext, fail, type Outcome, pass, skip, warn } from './check.js';
import { readLaunchAgent, stringsBehind } from './launchAgent.js';

/** The engines field of package.json. */
const OLDEST_NODE = [20, 19] as const;
const OWN_NODE = 'Give the agent a Node of its own from nodejs.org, at a path that stays (README, step 1).';

/** macOS ties permissions to the path of the binary; a package manager moves it with every upgrade. */
export const node: Check = {
  id: 'node',
  title: 'the node binary and its version',
  withoutConfig: true,
  run: ({ node: { path, version } }) => judgeOwnNode(path, version),
};

/** The same of the node that runs this, and whether it has SQLite. */
export function judgeOwnNode(path: string, version: string): Outcome {
  const fault = libraryFault();
  return fault === undefined ? judgeNode(path, version) : fail(fault.message, fault.remedy);
}

/** Why this very node has no SQLite: what `npm` left out, or built for another one. */
function libraryFault(): EdgeError | undefined {
  try {
    openDatabase(':memory:').close();
    return undefined;
  } catch (error) {
    if (error instanceof EdgeError) return error;
    throw error;
  }
}

/** Whether a node binary is new enough, and stays where it is. `version` is as `node --version` prints it. */
export function judgeNode(path: string, version: string): Outcome {
  const real = realPath(path) ?? path;
  const evidence = `${version} at ${real}`;
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  if (isOld) return fail(evidence, `Install Node ${OLDEST_NODE.join('.')} or newer.`);
  const moves = /\/(?:Cellar|\.nvm|\.fnm|\.volta|\.asdf)\//.test(real);
  return moves ? warn(`${evidence}, which moves with each upgrade`, OWN_NODE) : pass(evidence);
}

/**
 * The permissions of a terminal are not those of the agent: only the binary that launchd starts counts. A running agent
 * is asked about everything that depends on them, so that this may run with any other node.
 */
export const launchdNode: Check = {
  id: 'launchd-node',
  title: 'the node binary that launchd starts',
  withoutConfig: true,
  macOnly: true,
  async run({ agent: view, askAgent, homeDir, node: own }) {
    const program = launchdProgram(homeDir);
    if (program === undefined) return skip('there is no LaunchAgent edge-agent.plist');
    const real = realPath(program);
    if (real === undefined) {
      return fail(`${program} does not exist`, 'Recreate the LaunchAgent: edge-agent install');
    }
    if (real === realPath(own.path)) return pass(`${real}, the same as here`);
    if (view.kind !== 'up')
      return warn(
        `${real}; no agent runs, so this shows only what ${own.path} may do`,
        'Run: edge-agent start; then run this again.',
      );
    const running = await askAgent({ verb: 'runtime' });
    if (running.kind !== 'answered') return skip('the running agent does not report its node binary');
    const { node_path: path } = running.result;
    return realPath(path) === real
      ? pass(`${real}, with which the running agent runs`)
      : warn(`${real}; the running agent runs with ${path}`, 'Run: edge-agent restart');
  },
};

/** What the running agent says of itself: the only proof of what its own process may. */
export const agent: Check = {
  id: 'agent',
  title: 'the running agent',
  withoutConfig: true,
  run({ agent: view }) {
    if (view.kind === 'down') return skip('no agent runs: permissions are those of this terminal');
    if (view.kind === 'unclear') return fail(view.message, CANNOT_ASK_REMEDY);
    const { version, pid, problems } = view.snapshot;
    const who = `edge-agent ${version}, pid ${pid}`;
    const [first] = problems;
    if (first === undefined) return pass(`${who}, healthy`);
    return warn(`${who}: ${problems.map(({ code }) => code).join(', ')}`, first.remedy);
  },
};

/** The program whose permissions count: that of the LaunchAgent if there is one, else ours. */
export function agentProgram({ homeDir, node: { path } }: CheckContext): string {
  const program = launchdProgram(homeDir) ?? path;
  return realPath(program) ?? program;
}

/**
 * How macOS notes the program whose permissions count, and how its lists show it: an app by its bundle id and its name,
 * any other program by its path and the name of its file.
 */
export function agentInLists(context: CheckContext): { client: string; name: string } {
  const program = agentProgram(context);
  const app = appAround(program);
  if (app === undefined) return { client: program, name: basename(program) };
  const [id] = stringsBehind('CFBundleIdentifier', readFileSync(join(app, 'Contents', 'Info.plist'), 'utf8'));
  return { client: id ?? program, name: basename(app, '.app') };
}

/** The program that the LaunchAgent runs; undefined if there is none. */
export function launchdProgram(homeDir: string): string | undefined {
  return readLaunchAgent(homeDir)?.programArguments[0];
}

/** Where a path leads in the end; undefined if nowhere. */
export function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // Not there, or not for us to see: it names no program that could be run.
    return undefined;
  }
}
