import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../errors.js';
import { accountsOf } from '../../messages/applescript/accountsOf.js';
import { errorNumber } from '../../messages/applescript/errors.js';
import type { AccountsFound, AutomationAnswered } from '../../model/operatorApi.js';
import { openDatabase } from '../../store/sqlite.js';
import { MessagesApp } from '../../supervisor/MessagesApp.js';
import { type ProgramEnd, runProgram } from '../../system/runProgram.js';
import {
  type Check,
  type CheckContext,
  type ConfiguredBench,
  fail,
  type Outcome,
  pass,
  skip,
  warn,
} from './check.js';
import { median } from './median.js';
import { agentInLists, launchdProgram } from './program.js';

const PROGRAM_MS = 10_000;
/** The agent asks Messages, for 25 s at most. */
const ACCOUNTS_MS = 30_000;
/** The agent asks macOS, for 5 s at most. */
const AGENT_MS = 15_000;
const REPORT_MACOS = 'Please report this with the macOS version.';
const OLDEST_MACOS = 13;
const NEWEST_MACOS = 27;

export const version: Check = {
  id: 'macos-version',
  title: 'a macOS that the agent was built for',
  withoutConfig: true,
  macOnly: true,
  async run(context) {
    const end = await ask(context, context.programs.swVers, ['-productVersion']);
    const version = end.kind === 'ended' ? end.stdout.trim() : '';
    const major = Number(version.split('.')[0]);
    if (!/^\d+(\.\d+)*$/.test(version)) return warn(`sw_vers: ${words(end)}`, 'Run sw_vers by hand.');
    if (major >= OLDEST_MACOS && major <= NEWEST_MACOS) return pass(version);
    const range = `it was built for ${OLDEST_MACOS} to ${NEWEST_MACOS}`;
    return warn(`${version}; ${range}`, 'Check the other results closely, and run this with --send.');
  },
};

export const externalPrograms: Check = {
  id: 'programs',
  title: 'the programs of macOS that the agent starts exist',
  withoutConfig: true,
  macOnly: true,
  run({ programs }) {
    const missing = Object.values(programs).filter((path) => !isExecutable(path));
    if (missing.length === 0) return pass(`all ${Object.keys(programs).length}`);
    return fail(`missing: ${missing.join(', ')}`, REPORT_MACOS);
  },
};

/** Of no meaning here: that it comes back is. */
const ANY_NUMBER = -1728;

/** The time that each text costs before Messages is even asked, and the number of an error, by which what became of a text is judged. */
export const osascriptStart: Check = {
  id: 'osascript-start',
  title: 'osascript starts quickly and reports errors by their number',
  macOnly: true,
  async run(context) {
    const path = context.config.loaded.config.imessage.osascript_path;
    const times: number[] = [];
    for (let run = 0; run < 3; run += 1) {
      const began = context.clock.monotonic();
      const end = await ask(context, path, ['-e', 'return 1']);
      if (end.kind !== 'ended' || end.code !== 0) {
        return fail(`osascript: ${words(end)}`, 'Check imessage.osascript_path; restart the Mac.');
      }
      times.push(context.clock.monotonic() - began);
    }
    const evidence = `median ${Math.round(median(times))} ms of 3`;
    const failed = await ask(context, path, ['-e', `error "edge-agent" number ${ANY_NUMBER}`]);
    if (failed.kind !== 'ended' || failed.code !== 1 || errorNumber(failed.stderr) !== ANY_NUMBER)
      return fail(`${evidence}; it reported no number for an error: ${words(failed)}`, REPORT_MACOS);
    return median(times) > 1_000
      ? warn(evidence, 'The Mac is overloaded, or its disk is slow.')
      : pass(evidence);
  },
};

export const messagesRunning: Check = {
  id: 'messages-running',
  title: 'Messages is running',
  macOnly: true,
  async run(context) {
    const state = await app(context).state();
    if (state === 'running') return pass('pgrep finds it');
    if (state === 'unknown') return warn('pgrep failed', 'Run by hand: pgrep -U "$(id -u)" -x Messages');
    const { enabled } = context.config.loaded.config.supervisor;
    if (enabled && context.agent.kind === 'down')
      return warn('it is not running', 'The agent opens it at its start.');
    return fail('it is not running', 'Open Messages in the desktop session.');
  },
};

/**
 * The running agent asks macOS, because the permission is that of its process, and shows the dialog if this is not
 * decided yet: the user who runs this is probably at the screen. Without an agent there is only the entry in TCC.db.
 */
export const automation: Check = {
  id: 'automation',
  title: 'the agent may control Messages',
  macOnly: true,
  async run(context) {
    const { agent, askAgent } = context;
    if (agent.kind !== 'up') return noted(context);
    const answer = await askAgent({ verb: 'automation', raise: true }, AGENT_MS);
    if (answer.kind === 'answered' && answer.result.permission !== 'unknown')
      return judgeAutomation(context, answer.result);
    const problem = agent.snapshot.problems.find(({ code }) => code.startsWith('automation_'));
    if (problem !== undefined) return fail(`the running agent: ${problem.message}`, problem.remedy);
    return skip('macOS does not tell the running agent; edge-agent selftest --send shows it');
  },
};

function judgeAutomation(context: CheckContext, { permission, isDialogOpen }: AutomationAnswered): Outcome {
  switch (permission) {
    case 'granted':
      return pass('macOS grants it to the running agent');
    case 'denied':
      return fail('macOS denies it to the running agent', allow(context));
    case 'undecided':
      return isDialogOpen
        ? fail(
            'a dialog on the screen of this Mac asks for it now; texts wait',
            'Click OK in the dialog, at the Mac or by Screen Sharing; then run this again.',
          )
        : fail('not decided yet, and macOS showed no dialog; texts wait', allow(context));
    default:
      return warn('macOS does not tell while Messages is not running', 'Open Messages; then run this again.');
  }
}

/** The entry in TCC.db, which programs may not read since macOS 27, and before that only with Full Disk Access. */
function noted(context: CheckContext): Outcome {
  // What a terminal may, or the node in it, is nothing that the agent gets.
  if (launchdProgram(context.homeDir) === undefined)
    return skip('only the running agent can find out, and none is installed');
  const { client: program } = agentInLists(context);
  const found = notedAutomation(context.homeDir, program);
  switch (found) {
    case 'granted':
      return pass(`granted to ${program}`);
    case 'denied':
      return fail(`denied to ${program}`, allow(context));
    case 'none':
      return warn(
        `${program} has not requested it yet`,
        `Start the agent, and run this again: the agent makes macOS ask. ${allow(context)}`,
      );
    default:
      return skip('only the running agent can find out, and none runs');
  }
}

/** A Mac that is signed out takes texts without an error and never sends them. */
export const account: Check = {
  id: 'account',
  title: 'an iMessage account is enabled and connected',
  macOnly: true,
  run: askAccounts,
};

/**
 * The running agent asks Messages, by its own permission; else this terminal does, and only if macOS lets it: no dialog is raised, and
 * the agent is not blamed.
 */
async function askAccounts(context: ConfiguredBench): Promise<Outcome> {
  if ((await app(context).state()) !== 'running') return skip('Messages does not run');
  const { env, clock, agent, askAgent } = context;
  const answer = agent.kind === 'up' ? await askAgent({ verb: 'accounts' }, ACCOUNTS_MS) : undefined;
  if (answer?.kind === 'answered') return judgeAccounts(answer.result, 'the running agent');
  const { osascript_path: osascriptPath } = context.config.loaded.config.imessage;
  return judgeAccounts(await accountsOf({ osascriptPath, env, clock }), 'this terminal');
}

function judgeAccounts(found: AccountsFound, who: string): Outcome {
  if (found.kind === 'notAllowed')
    return skip(
      `${who} may not ask Messages${who === 'this terminal' ? ', which says nothing about the agent' : ''}; see Messages → Settings → iMessage`,
    );
  if (found.kind === 'failed') return fail(found.why, 'Check Messages; reopen it.');
  const { accounts, enabled, connected } = found;
  const evidence = `${accounts} iMessage accounts, ${enabled} enabled, ${connected} connected`;
  const remedy = 'Open Messages → Settings → iMessage, sign in, and switch the account on.';
  if (enabled === 0) return fail(evidence, remedy);
  return connected === 0 ? warn(evidence, remedy) : pass(evidence);
}

/** `pmset -g`: the sleep timer in minutes, 0 never. */
export const sleep: Check = {
  id: 'sleep',
  title: 'the Mac does not sleep',
  withoutConfig: true,
  macOnly: true,
  async run(context) {
    const end = await ask(context, context.programs.pmset, ['-g']);
    const setting = end.kind === 'ended' ? /^\s*sleep\s+(\d+)\s*(.*)$/m.exec(end.stdout) : null;
    if (setting === null) return warn(`pmset: ${words(end)}`, 'Run by hand: pmset -g');
    const [, minutes, prevented = ''] = setting;
    if (minutes === '0') return pass('sleep 0');
    const remedy = 'Run: sudo pmset -a sleep 0 autorestart 1';
    if (/caffeinate/.test(prevented)) return warn(`sleep ${minutes}, kept awake by caffeinate`, remedy);
    return fail(`sleep ${minutes}`, remedy);
  },
};

function allow(context: CheckContext): string {
  const { name } = agentInLists(context);
  return `System Settings → Privacy & Security → Automation: switch Messages on below ${name}. Not listed: macOS refuses without asking; see runtime-signature of edge-agent doctor, and run edge-agent install.`;
}

/** What the user's TCC.db notes on whether a program (a path or a bundle id) may control Messages. Raises no dialog. */
function notedAutomation(homeDir: string, program: string): 'granted' | 'denied' | 'none' | { why: string } {
  const path = join(homeDir, 'Library', 'Application Support', 'com.apple.TCC', 'TCC.db');
  try {
    const database = openDatabase(path, { readonly: true });
    try {
      const value = database
        .prepare(
          `SELECT auth_value FROM access WHERE service = 'kTCCServiceAppleEvents' AND client = ?
           AND indirect_object_identifier = 'com.apple.MobileSMS'`,
        )
        .pluck()
        .get(program);
      if (value === undefined) return 'none';
      return value === GRANTED ? 'granted' : 'denied';
    } finally {
      database.close();
    }
  } catch (error) {
    return { why: describeError(error) };
  }
}

/** `auth_value` of TCC.db. */
const GRANTED = 2;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Missing or not for us: it cannot be started either way.
    return false;
  }
}

function app({ config: { loaded }, programs, env, clock }: ConfiguredBench): MessagesApp {
  return new MessagesApp({ programs, osascriptPath: loaded.config.imessage.osascript_path, env, clock });
}

function ask(
  { env, clock }: CheckContext,
  path: string,
  args: readonly string[],
  timeoutMs = PROGRAM_MS,
): Promise<ProgramEnd> {
  return runProgram(path, args, { env, clock, timeoutMs });
}

/** Without what it printed, but for AppleScript's error number: the rest may name people. */
function words(end: ProgramEnd): string {
  if (end.kind === 'notStarted') return end.message;
  if (end.kind === 'timedOut') return 'it did not end in time';
  const number = /\((-?\d+)\)\s*$/.exec(end.stderr)?.[1];
  return `it ended with ${end.code ?? 'a signal'}${number === undefined ? '' : ` (${number})`}`;
}
