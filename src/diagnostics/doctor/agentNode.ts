import { runProgram } from '../../system/runProgram.js';
import { type Check, type CheckContext, fail } from '../checks/check.js';
import { judgeNode, judgeOwnNode, launchdProgram, node } from '../checks/program.js';

const PROGRAM_MS = 10_000;

/** The node that the agent runs on: that of the LaunchAgent if there is one, else this one. */
export const agentNode: Check = {
  ...node,
  withoutConfig: true,
  async run(context) {
    const program = launchdProgram(context.homeDir);
    if (program === undefined) return judgeOwnNode(context.node.path, context.node.version);
    const version = await nodeVersion(context, program);
    if (version === undefined)
      return fail(`${program}, which launchd starts, does not run`, 'Run: edge-agent install');
    return judgeNode(program, version);
  },
};

/** What `node --version` prints; undefined if that binary does not run. */
export async function nodeVersion({ env, clock }: CheckContext, path: string): Promise<string | undefined> {
  const end = await runProgram(path, ['--version'], { env, clock, timeoutMs: PROGRAM_MS });
  return end.kind === 'ended' && end.code === 0 ? end.stdout.trim() : undefined;
}
