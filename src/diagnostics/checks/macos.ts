import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../errors.js';
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
import { agentInLists } from './program.js';

const PROGRAM_MS = 10_000;
/** Messages may still have to start, or a dialog may wait for an answer. */
const ACCOUNT_MS = 20_000;
const OLDEST_MACOS = 13;
const NEWEST_MACOS = 26;

export const version: Check = {
  id: 'macos-version',
  title: 'a macOS that the agent was built for',
  withoutConfig: true,
  macOnly: true,
  async run(context) {
    const end = await ask(context, context.programs.swVers, ['-productVersion']);
    const told = end.kind === 'ended' ? end.stdout.trim() : '';
    const major = Number(told.split('.')[0]);
    if (!/^\d+(\.\d+)*$/.test(told)) return warn(`sw_vers: ${words(end)}`, 'Run sw_vers by hand.');
    if (major >= OLDEST_MACOS && major <= NEWEST_MACOS) return pass(told);
    const range = `it was built for ${OLDEST_MACOS} to ${NEWEST_MACOS}`;
    return warn(`${told}; ${range}`, 'Look closely at the other checks, and run this with --send.');
  },
};

export const externalPrograms: Check = {
  id: 'programs',
  title: 'the programs of macOS that are started are there',
  withoutConfig: true,
  macOnly: true,
  run({ programs }) {
    const missing = Object.values(programs).filter((path) => !isExecutable(path));
    if (missing.length === 0) return pass(`all ${Object.keys(programs).length}`);
    return fail(`missing: ${missing.join(', ')}`, 'Please report this with the macOS version.');
  },
};

/** The time that each text costs before Messages is even asked. */
export const osascriptStart: Check = {
  id: 'osascript-start',
  title: 'osascript starts, and fast',
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
    if (state === 'unknown') return warn('pgrep failed', 'Run by hand: pgrep -x Messages');
    const { enabled } = context.config.loaded.config.supervisor;
    if (enabled && context.agent.kind === 'down')
      return warn('it does not run', 'The agent opens it at its start.');
    return fail('it does not run', 'Open Messages in the desktop session.');
  },
};

/** What macOS has noted in TCC.db, which who has Full Disk Access may read: asking Messages itself might raise a dialog. */
export const automation: Check = {
  id: 'automation',
  title: 'the agent may control Messages',
  macOnly: true,
  run(context) {
    const { agent } = context;
    const told =
      agent.kind === 'up'
        ? agent.snapshot.problems.find(({ code }) => code === 'automation_denied')
        : undefined;
    if (told !== undefined) return fail(`the running agent: ${told.message}`, told.remedy);
    const { client: program } = agentInLists(context);
    const noted = notedAutomation(context.homeDir, program);
    switch (noted) {
      case 'granted':
        return pass(`granted to ${program}`);
      case 'denied':
        return fail(`denied to ${program}`, allow(context));
      case 'none':
        return warn(`${program} has not requested it yet`, allow(context));
      default:
        return skip(`TCC.db cannot be read: ${noted.why}`);
    }
  },
};

/** A Mac that is signed out takes texts without an error and never sends them. */
export const account: Check = {
  id: 'account',
  title: 'an iMessage account is enabled and connected',
  macOnly: true,
  run: askAccounts,
};

/** Asks Messages for its accounts, which raises a dialog where macOS has not noted yet that it may be asked. */
export async function askAccounts(context: ConfiguredBench): Promise<Outcome> {
  if ((await app(context).state()) !== 'running') return skip('Messages does not run');
  const { osascript_path: path } = context.config.loaded.config.imessage;
  const end = await ask(context, path, ['-e', ACCOUNTS], ACCOUNT_MS);
  if (end.kind === 'timedOut')
    return fail('Messages did not answer', `Look for a dialog on the screen. ${allow(context)}`);
  if (end.kind !== 'ended' || end.code !== 0) return fail(`osascript: ${words(end)}`, allow(context));
  return judgeAccounts(end.stdout);
}

const ACCOUNTS = `tell application "Messages"
	set told to ""
	repeat with anAccount in accounts
		set told to told & (service type of anAccount as text) & "," & (enabled of anAccount as text) & "," & (connection status of anAccount as text) & linefeed
	end repeat
	return told
end tell`;

function judgeAccounts(output: string): Outcome {
  const accounts = output.split('\n').map((line) => line.trim().split(','));
  const imessage = accounts.filter(([service]) => service === 'iMessage');
  const enabled = imessage.filter(([, isEnabled]) => isEnabled === 'true');
  const connected = enabled.filter(([, , status]) => status === 'connected');
  const evidence = `${imessage.length} iMessage accounts, ${enabled.length} enabled, ${connected.length} connected`;
  const remedy = 'Open Messages → Settings → iMessage, sign in, and switch the account on.';
  if (enabled.length === 0) return fail(evidence, remedy);
  return connected.length === 0 ? warn(evidence, remedy) : pass(evidence);
}

/** `pmset -g`: the sleep timer in minutes, 0 never. */
export const sleep: Check = {
  id: 'sleep',
  title: 'the Mac does not sleep',
  withoutConfig: true,
  macOnly: true,
  async run(context) {
    const end = await ask(context, context.programs.pmset, ['-g']);
    const told = end.kind === 'ended' ? /^\s*sleep\s+(\d+)\s*(.*)$/m.exec(end.stdout) : null;
    if (told === null) return warn(`pmset: ${words(end)}`, 'Run by hand: pmset -g');
    const [, minutes, prevented = ''] = told;
    if (minutes === '0') return pass('sleep 0');
    const remedy = 'Run: sudo pmset -a sleep 0 autorestart 1';
    if (/caffeinate/.test(prevented)) return warn(`sleep ${minutes}, kept awake by caffeinate`, remedy);
    return fail(`sleep ${minutes}`, remedy);
  },
};

function allow(context: CheckContext): string {
  const { name } = agentInLists(context);
  return `System Settings → Privacy & Security → Automation: switch Messages on below ${name}. Not listed: send a text with somebody at the screen.`;
}

/** What the user's TCC.db notes on whether a program (a path or a bundle id) may control Messages. Raises no dialog. */
export function notedAutomation(
  homeDir: string,
  program: string,
): 'granted' | 'denied' | 'none' | { why: string } {
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
