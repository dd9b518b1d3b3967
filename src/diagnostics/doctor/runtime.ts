import { existsSync } from 'node:fs';
import {
  appAround,
  isNeverAsked,
  isOlder,
  outsideLibraries,
  rosettaWords,
  sliceFor,
  whyNoProgram,
} from '../../system/nodeProgram.js';
import { runProgram } from '../../system/runProgram.js';
import { type Check, type CheckContext, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { launchdProgram, realPath } from '../checks/program.js';

const PROGRAM_MS = 20_000;
const INSTALL = 'Run: edge-agent install';
const OWN_NODE = 'Install Node from nodejs.org, and with it run: edge-agent install --node';

/** Whether macOS asks for the permission to send at all: that hangs on how the program is signed. */
export const runtimeSignature: Check = {
  id: 'runtime-signature',
  title: 'the signature of the program that launchd starts',
  withoutConfig: true,
  macOnly: true,
  run: (context) => ofRuntime(context, judgeSignature),
};

/** Whether the program that launchd starts will still start when something else is upgraded. */
export const runtimeLibraries: Check = {
  id: 'runtime-libraries',
  title: 'the libraries of the program that launchd starts',
  withoutConfig: true,
  macOnly: true,
  run: (context) => ofRuntime(context, judgeLibraries),
};

type Slice = NonNullable<ReturnType<typeof sliceFor>>;

async function ofRuntime(
  context: CheckContext,
  judge: (context: CheckContext, path: string, slice: Slice) => Promise<Outcome>,
): Promise<Outcome> {
  const program = launchdProgram(context.homeDir);
  if (program === undefined) return skip('there is no LaunchAgent edge-agent.plist');
  const path = realPath(program);
  if (path === undefined) return fail(`${program} does not exist`, INSTALL);
  const found = context.inspect(path);
  const slice = sliceFor(found, process.arch);
  if (slice === undefined) return fail(`${path}: ${whyNoProgram(found)}`, INSTALL);
  return judge(context, path, slice);
}

async function judgeSignature(context: CheckContext, path: string, { signature }: Slice): Promise<Outcome> {
  if (signature.kind === 'none') return fail(`${path} is not signed: macOS does not let it send`, INSTALL);
  const signer = signature.team === null ? 'by a certificate' : `by team ${signature.team}`;
  const how = signature.kind === 'adHoc' ? 'ad hoc' : signer;
  if (isNeverAsked(signature)) {
    return fail(
      `${path}, signed ${how}, has the hardened runtime and no entitlement for Automation: macOS refuses every text without asking`,
      `${INSTALL} (it makes a copy that macOS does ask about)`,
    );
  }
  const bundle = appAround(path);
  if (bundle === undefined) return pass(`signed ${how}`);
  const { programs, env, clock } = context;
  const args = ['--verify', '--strict', bundle];
  const end = await runProgram(programs.codesign, args, { env, clock, timeoutMs: PROGRAM_MS });
  if (end.kind !== 'ended')
    return warn(`signed ${how}; codesign cannot check whether that is valid`, INSTALL);
  if (end.code === 0) return pass(`signed ${how}, and unchanged since`);
  return fail(
    `${bundle} was changed after it had been signed: ${end.stderr.trim().split('\n')[0]}`,
    `${INSTALL}; permissions may have to be given again`,
  );
}

async function judgeLibraries(context: CheckContext, path: string, slice: Slice): Promise<Outcome> {
  const { minimumMacOs } = slice;
  const macOs = await ownMacOs(context);
  if (minimumMacOs !== null && macOs !== undefined && isOlder(macOs, minimumMacOs)) {
    return fail(
      `${path} is for macOS ${minimumMacOs} and newer, this is ${macOs}`,
      'Upgrade macOS, or install an older Node (22 runs on macOS 11), and with it run: edge-agent install --node',
    );
  }
  const outside = outsideLibraries(slice);
  const missing = outside.filter((library) => library.startsWith('/') && !existsSync(library));
  if (missing.length > 0)
    return fail(`${path} needs libraries that do not exist: ${missing.join(', ')}`, OWN_NODE);
  if (outside.length > 0) {
    const count = outside.length === 1 ? 'a library' : `${outside.length} libraries`;
    return warn(`${path} needs ${count} that an upgrade may replace, such as ${outside[0]}`, OWN_NODE);
  }
  const words = rosettaWords(slice, context.processor);
  if (words !== undefined)
    return warn(
      `${path} ${words}`,
      'Install Node for Apple silicon from nodejs.org, with it edge-agent again, then run: edge-agent install --node',
    );
  return pass(`only those of macOS${minimumMacOs === null ? '' : ` ${minimumMacOs} and newer`}`);
}

async function ownMacOs({ programs, env, clock }: CheckContext): Promise<string | undefined> {
  const end = await runProgram(programs.swVers, ['-productVersion'], { env, clock, timeoutMs: PROGRAM_MS });
  const version = end.kind === 'ended' ? end.stdout.trim() : '';
  return /^\d+(\.\d+)*$/.test(version) ? version : undefined;
}
