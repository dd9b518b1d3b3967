import type { AccountsFound } from '../../model/operatorApi.js';
import type { Clock } from '../../system/clock.js';
import { runProgram } from '../../system/runProgram.js';
import { askAutomation } from './Automation.js';

interface AccountsOptions {
  readonly osascriptPath: string;
  /** Without our secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

const PATIENCE_MS = 20_000;

const ACCOUNTS = `tell application "Messages"
	set told to ""
	repeat with anAccount in accounts
		set told to told & (service type of anAccount as text) & "," & (enabled of anAccount as text) & "," & (connection status of anAccount as text) & linefeed
	end repeat
	return told
end tell`;

/**
 * What Messages says of its iMessage accounts, in counts, to the process that asks. Asked only if macOS lets that: no dialog is raised,
 * and nothing is sent. Messages has to run, or it would be opened. Ends within 25 s; never rejects.
 */
export async function accountsOf({ osascriptPath, env, clock }: AccountsOptions): Promise<AccountsFound> {
  if ((await askAutomation({ osascriptPath, env, clock })) !== 'granted') return { kind: 'notAllowed' };
  const end = await runProgram(osascriptPath, ['-e', ACCOUNTS], { env, clock, timeoutMs: PATIENCE_MS });
  if (end.kind === 'timedOut') return { kind: 'failed', why: 'Messages did not answer' };
  if (end.kind === 'notStarted') return { kind: 'failed', why: `osascript: ${end.message}` };
  // What else it printed may name people.
  const number = /\((-?\d+)\)\s*$/.exec(end.stderr)?.[1];
  if (end.code !== 0)
    return {
      kind: 'failed',
      why: `osascript ended with ${end.code ?? 'a signal'}${number === undefined ? '' : ` (${number})`}`,
    };
  const accounts = end.stdout.split('\n').map((line) => line.trim().split(','));
  const imessage = accounts.filter(([service]) => service === 'iMessage');
  const enabled = imessage.filter(([, isEnabled]) => isEnabled === 'true');
  const connected = enabled.filter(([, , status]) => status === 'connected');
  return {
    kind: 'told',
    accounts: imessage.length,
    enabled: enabled.length,
    connected: connected.length,
  };
}
