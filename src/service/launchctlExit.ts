import { EdgeError } from '../errors.js';
import type { ErrorCode } from '../model/errorCodes.js';

interface Explanation {
  readonly code: ErrorCode;
  readonly why: string;
  readonly remedy: string;
}

const AT_THE_SCREEN =
  'Log in to the desktop as this user, at the screen or by Screen Sharing (SSH alone opens no desktop), then run this again.';
const LOGIN_ITEMS =
  'System Settings → General → Login Items & Extensions → Allow in the Background → switch Edge Agent on, then run this again.';

/** The exit codes of launchctl that an operator may meet: launchctl(1), `launchctl error`, and as seen on macOS 26. */
const EXPLAINED: Readonly<Record<number, Explanation>> = {
  1: refused(
    'it is not permitted',
    'Run this as the user who runs the agent, without sudo, in a session of that user.',
  ),
  3: refused('there is no such process', 'Start it: edge-agent start'),
  5: refused(
    'an input/output error, which launchd reports for a job that is still ending, or a user without a desktop session',
    'Wait half a minute and run this again. If the error remains: log out and in again at the screen.',
  ),
  13: refused('permission is denied', 'Run this as the user who runs the agent, without sudo.'),
  17: refused('the job is loaded already', 'Run: edge-agent restart'),
  36: refused('an earlier request is still in progress', 'Wait half a minute and run this again.'),
  37: refused('the job is loaded already', 'Run: edge-agent restart'),
  78: refused('launchd cannot start the program as described', 'Install it again: edge-agent install'),
  112: { code: 'no_desktop_session', why: 'this user has no desktop session', remedy: AT_THE_SCREEN },
  113: refused(
    'the job is not loaded; it may have been switched off under Login Items',
    `Run: edge-agent install. If it is dropped again: ${LOGIN_ITEMS}`,
  ),
  119: refused('the job is disabled', LOGIN_ITEMS),
  122: refused(
    'launchd does not trust the LaunchAgent because of its owner or mode',
    'The file and the folder ~/Library/LaunchAgents must belong to this user and not be writable by others: chmod go-w ~/Library/LaunchAgents, then edge-agent install',
  ),
  125: {
    code: 'no_desktop_session',
    why: 'the domain of the desktop session does not accept this',
    remedy: AT_THE_SCREEN,
  },
  134: {
    code: 'no_desktop_session',
    why: 'the job needs a desktop session, and this is not one',
    remedy: AT_THE_SCREEN,
  },
  155: refused(
    'macOS has quarantined the program',
    'Release it: xattr -dr com.apple.quarantine ~/Library/Application\\ Support/edge-agent/program, then: edge-agent start',
  ),
};

/** What went wrong, in words; `doing` is the subcommand of launchctl, `said` what it printed. */
export function explainExit(doing: string, exitCode: number | null, said: string): EdgeError {
  const known = exitCode === null ? undefined : EXPLAINED[exitCode];
  const words = said.trim().replaceAll(/\s+/g, ' ');
  const quoted = words === '' ? '' : ` It said: ${words.replace(/[.:]?$/, '.')}`;
  const end = exitCode === null ? 'was killed' : `failed with ${exitCode}`;
  if (known === undefined) {
    return new EdgeError(
      'launchd_refused',
      `launchctl ${doing} ${end}.${quoted}`,
      `Look it up with: launchctl error ${exitCode ?? ''}`.trim(),
    );
  }
  return new EdgeError(known.code, `launchctl ${doing} ${end}: ${known.why}.${quoted}`, known.remedy);
}

function refused(why: string, remedy: string): Explanation {
  return { code: 'launchd_refused', why, remedy };
}
