import { existsSync, readFileSync, statSync } from 'node:fs';
import { type Bench, type Check, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { type LaunchAgent, readLaunchAgent, stringsBehind } from '../checks/launchAgent.js';
import { agentProgram, realPath } from '../checks/program.js';
import type { RuntimeAnswer } from '../status/runtime.js';
import { runProgram } from '../system/runProgram.js';

const PROGRAM_MS = 10_000;
const INSTALL = 'Make it anew: edge-agent install';

/** Whether the LaunchAgent still fits what is on the disk, and this version. `template` is where its template lies. */
export function plistCheck(template: string): Check {
  return {
    id: 'plist',
    title: 'the LaunchAgent fits what is installed',
    withoutConfig: true,
    macOnly: true,
    run(bench) {
      const plist = readLaunchAgent(bench.homeDir);
      if (plist === undefined) return skip('there is no LaunchAgent edge-agent.plist');
      return judgePlist(plist, readFileSync(template, 'utf8'), secretsOf(bench));
    },
  };
}

function secretsOf({ config }: Bench): readonly string[] {
  return config.kind === 'loaded' ? Object.values(config.loaded.secrets) : [];
}

function judgePlist(
  { path, text, programArguments }: LaunchAgent,
  template: string,
  secrets: readonly string[],
): Outcome {
  if (secrets.some((secret) => text.includes(secret))) {
    return fail(
      `${path} holds a secret, which every user of this Mac may read`,
      `${INSTALL}; then have the secret changed.`,
    );
  }
  // launchd refuses a file that others may write (launchctl's error 122).
  if ((statSync(path).mode & 0o022) !== 0)
    return fail(`${path} can be written by others`, `Run: chmod go-w "${path}"`);
  const paths = [...programArguments, ...stringsBehind('WorkingDirectory', text)].filter((word) =>
    word.startsWith('/'),
  );
  const missing = paths.filter((word) => !existsSync(word));
  if (paths.length === 0) return fail(`${path} names no program`, INSTALL);
  if (missing.length > 0) return fail(`it names what does not exist: ${missing.join(', ')}`, INSTALL);
  if (!fits(text, template)) return warn('it differs from the template of this version', INSTALL);
  return pass(`${paths[0]}, as this version has it`);
}

/** Whether a filled-in template is what the file says; comments and white space do not count. */
function fits(plist: string, template: string): boolean {
  const plain = (text: string) =>
    text
      .replace(/<!--[\s\S]*?-->/g, '')
      .replace(/>\s+</g, '><')
      .trim();
  const pattern = plain(template)
    .split(/@[A-Z_]+@/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
    .join('[^<]*');
  return new RegExp(`^${pattern}$`).test(plain(plist));
}

/** Whether the agent that runs is the one that is installed: after an upgrade it goes on with what it began with. */
export function driftCheck(installedVersion: string): Check {
  return {
    id: 'drift',
    title: 'what runs is what is installed',
    withoutConfig: true,
    async run(bench) {
      if (bench.agent.kind !== 'up') return skip('no agent runs');
      const { version } = bench.agent.snapshot;
      if (version !== installedVersion) {
        return warn(
          `edge-agent ${version} runs, ${installedVersion} is installed`,
          'Run: edge-agent restart',
        );
      }
      const answer = await bench.askAgent({ verb: 'runtime' });
      if (answer.kind !== 'answered') return skip('the running agent does not tell its node binary');
      return judgeRuntime(bench, answer.result as RuntimeAnswer);
    },
  };
}

async function judgeRuntime(bench: Bench, running: RuntimeAnswer): Promise<Outcome> {
  const evidence = `Node ${running.node_version} at ${running.node_path}`;
  if (realPath(running.node_path) === undefined) {
    const remedy =
      'Run: edge-agent install (it keeps a node of its own); then allow Full Disk Access and Automation for the new binary.';
    return fail(
      `${evidence}, which was removed meanwhile: at the next start its permissions are gone`,
      remedy,
    );
  }
  const installed = agentProgram(bench);
  if (realPath(running.node_path) !== installed) {
    return warn(
      `${evidence}; the LaunchAgent, or this command, runs ${installed}`,
      'Permissions count for one binary only. Run: edge-agent restart',
    );
  }
  const end = await runProgram(installed, ['--version'], {
    env: bench.env,
    clock: bench.clock,
    timeoutMs: PROGRAM_MS,
  });
  const version = end.kind === 'ended' ? end.stdout.trim() : '';
  if (version !== '' && version !== running.node_version) {
    return warn(
      `${evidence}; by now ${version} is installed there`,
      'Run: edge-agent restart, and see that its permissions still hold.',
    );
  }
  return pass(evidence);
}
