import { userInfo } from 'node:os';
import { type ProgramEnd, runProgram } from '../../system/runProgram.js';
import { type Check, type CheckContext, type Outcome, pass, skip, warn } from '../checks/check.js';
import { account } from '../checks/macos.js';

const PROGRAM_MS = 10_000;
const LOGIN_WINDOW = '/Library/Preferences/com.apple.loginwindow';

/** After a power cut a Mac stays off unless it is set to start: pmset(1). */
export const autorestart: Check = {
  id: 'autorestart',
  title: 'the Mac starts again after a power cut',
  withoutConfig: true,
  macOnly: true,
  async run(context) {
    const end = await ask(context, context.programs.pmset, ['-g']);
    if (end.kind !== 'ended' || end.code !== 0) return warn('pmset failed', 'Run by hand: pmset -g');
    const printed = /^\s*autorestart\s+(\d+)/m.exec(end.stdout)?.[1];
    if (printed === undefined) return skip('this Mac has no such setting');
    return printed === '0'
      ? warn('autorestart 0', 'Run: sudo pmset -a autorestart 1')
      : pass(`autorestart ${printed}`);
  },
};

/** The agent works only while its user is logged in, and no one types a password after a power cut at night. */
export const autoLogin: Check = {
  id: 'auto-login',
  title: 'its user is logged in automatically after a restart',
  withoutConfig: true,
  macOnly: true,
  async run(context) {
    const filevault = await ask(context, context.programs.fdesetup, ['status']);
    const printed = filevault.kind === 'ended' ? filevault.stdout : '';
    if (/FileVault is On/i.test(printed)) {
      const remedy =
        'Decide: turn FileVault off (System Settings → Privacy & Security) and automatic login on, or have somebody log in at the screen after each restart and power cut; for one planned restart: sudo fdesetup authrestart';
      return warn(
        'FileVault is on (macOS 26 may turn it on by itself), so no user is logged in until a password is typed',
        remedy,
      );
    }
    if (!/FileVault is Off/i.test(printed))
      return warn(
        'FileVault did not answer, so it is not known whether it is on',
        'Run by hand: fdesetup status',
      );
    return loginOutcome(
      await ask(context, context.programs.defaults, ['read', LOGIN_WINDOW, 'autoLoginUser']),
    );
  },
};

function loginOutcome(end: ProgramEnd): Outcome {
  const remedy = 'System Settings → Users & Groups → Automatically log in as: this user.';
  if (end.kind !== 'ended') return warn('defaults failed', remedy);
  const user = end.code === 0 ? end.stdout.trim() : '';
  if (user === '') return warn('FileVault is off, but automatic login is not set up', remedy);
  // Not named: who the others on this Mac are is not for a report.
  if (user !== userInfo().username) return warn('another user is logged in automatically', remedy);
  return pass('FileVault is off and this user is logged in automatically');
}

/** The doctor's name for it, by which reports are compared. */
export const signedIn: Check = { ...account, id: 'signed-in' };

function ask({ env, clock }: CheckContext, path: string, args: readonly string[]): Promise<ProgramEnd> {
  return runProgram(path, args, { env, clock, timeoutMs: PROGRAM_MS });
}
