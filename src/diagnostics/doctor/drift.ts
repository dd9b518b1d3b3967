import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RuntimeAnswer } from '../../model/operatorApi.js';
import { type Check, type CheckContext, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { readLaunchAgent } from '../checks/launchAgent.js';
import { agentProgram, realPath } from '../checks/program.js';
import { nodeVersion } from './agentNode.js';

/** Whether the running agent is the installed one: after an upgrade it continues with the version that it started with. */
export function driftCheck(ownVersion: string): Check {
  return {
    id: 'drift',
    title: 'the running version is the installed one',
    withoutConfig: true,
    async run(context) {
      if (context.agent.kind !== 'up') return skip('no agent runs');
      const { version } = context.agent.snapshot;
      const installed = installedVersion(context) ?? ownVersion;
      if (version !== installed) {
        return warn(`edge-agent ${version} runs, ${installed} is installed`, 'Run: edge-agent restart');
      }
      if (installed !== ownVersion) {
        const remedy = 'Upgrade: edge-agent install';
        return warn(`edge-agent ${installed} is installed and runs; this command is ${ownVersion}`, remedy);
      }
      const answer = await context.askAgent({ verb: 'runtime' });
      if (answer.kind !== 'answered') return skip('the running agent does not report its node binary');
      return judgeRuntime(context, answer.result);
    },
  };
}

/** Of the program that the LaunchAgent names; undefined if there is none. */
function installedVersion({ homeDir }: CheckContext): string | undefined {
  const words = readLaunchAgent(homeDir)?.programArguments ?? [];
  const script = words.find((word) => word.endsWith('/dist/cli/main.js'));
  const manifest = script === undefined ? undefined : join(dirname(script), '..', '..', 'package.json');
  if (manifest === undefined || !existsSync(manifest)) return undefined;
  return String((JSON.parse(readFileSync(manifest, 'utf8')) as { version: unknown }).version);
}

async function judgeRuntime(context: CheckContext, running: RuntimeAnswer): Promise<Outcome> {
  const evidence = `Node ${running.node_version} at ${running.node_path}`;
  if (realPath(running.node_path) === undefined) {
    const remedy =
      'Run: edge-agent install (it keeps a node of its own); then allow Full Disk Access and Automation for the new binary.';
    return fail(
      `${evidence}, which was removed meanwhile: its permissions are lost at the next start`,
      remedy,
    );
  }
  const installed = agentProgram(context);
  if (realPath(running.node_path) !== installed) {
    return warn(
      `${evidence}; the LaunchAgent, or this command, runs ${installed}`,
      'Permissions apply to one binary only. Run: edge-agent restart',
    );
  }
  const version = await nodeVersion(context, installed);
  if (version !== undefined && version !== running.node_version) {
    return warn(
      `${evidence}; by now ${version} is installed there`,
      'Run: edge-agent restart, and check that its permissions still apply.',
    );
  }
  return pass(evidence);
}
