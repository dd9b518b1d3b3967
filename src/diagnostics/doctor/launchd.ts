import { userInfo } from 'node:os';
import { type ProgramEnd, runProgram } from '../../system/runProgram.js';
import { type Check, type CheckContext, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { readLaunchAgent } from '../checks/launchAgent.js';

const PROGRAM_MS = 10_000;
const INSTALL = 'Run: edge-agent install';
/** Exit codes of launchctl(1), as seen on macOS 13 to 26, and expected of 27: 125 is what macOS 26 says where 112 was. */
const NO_GUI_SESSION: readonly (number | null)[] = [112, 125];
/** As System Settings shows it since macOS 13; the switch of the app is in its second list. */
const LOGIN_ITEMS =
  'System Settings → General → Login Items & Extensions → Allow in the Background → Edge Agent';
const NOT_LOADED = 113;

/** What launchd says of the service. `launchctl print` is no interface: what is not found in it is left out. */
export const launchd: Check = {
  id: 'launchd',
  title: 'launchd keeps the agent running',
  withoutConfig: true,
  macOnly: true,
  async run(context) {
    const plist = readLaunchAgent(context.homeDir);
    const label = plist?.label ?? 'edge-agent';
    const end = await ask(context, ['print', `${domain()}/${label}`]);
    if (end.kind !== 'ended')
      return warn('launchctl failed', `Run by hand: launchctl print ${domain()}/${label}`);
    if (end.code === 0) {
      const outcome = judge(context, end.stdout);
      if (outcome.verdict !== 'PASS' || !(await isDisabled(context, label))) return outcome;
      return warn(
        `${outcome.evidence}, but disabled: it will not start at the next login`,
        'Run: edge-agent start',
      );
    }
    if (NO_GUI_SESSION.includes(end.code)) {
      return warn(
        'this user has no desktop session, so launchd cannot be queried',
        'Log in at the screen (or by screen sharing), and run this again.',
      );
    }
    if (plist === undefined) return skip(`not installed; ${INSTALL}`);
    if (await isDisabled(context, label))
      return fail(
        'the service is disabled, as after edge-agent stop',
        `Run: edge-agent start; if launchd refuses it: ${LOGIN_ITEMS}.`,
      );
    const evidence =
      end.code === NOT_LOADED ? 'launchd does not know the service' : `launchctl ended with ${end.code}`;
    return fail(evidence, `${INSTALL}; it may be switched off: ${LOGIN_ITEMS}.`);
  },
};

async function isDisabled(context: CheckContext, label: string): Promise<boolean> {
  const end = await ask(context, ['print-disabled', domain()]);
  if (end.kind !== 'ended' || end.code !== 0) return false;
  return end.stdout
    .split('\n')
    .some((line) => line.includes(`"${label}"`) && /=>\s*(?:disabled|true)/.test(line));
}

function judge({ agent }: CheckContext, printed: string): Outcome {
  const value = (key: string) => new RegExp(`^\\s*${key} = (.+)$`, 'm').exec(printed)?.[1]?.trim();
  const [state, pid, runs, exit] = ['state', 'pid', 'runs', 'last exit code'].map(value);
  const facts = [
    `state ${state ?? 'unknown'}`,
    ...(pid === undefined ? [] : [`pid ${pid}`]),
    ...(runs === undefined ? [] : [`${runs} ${runs === '1' ? 'start' : 'starts'}`]),
  ];
  const evidence = facts.join(', ');
  if (pid === undefined) {
    const ended = exit === undefined ? '' : `, last exit code ${exit}`;
    return fail(`${evidence}${ended}`, 'See why it ended: edge-agent logs -n 50; then: edge-agent start');
  }
  if (agent.kind === 'down') {
    return fail(
      `${evidence}, but it does not answer here`,
      'It may still start, or use another state.directory: compare --config and edge-agent config show.',
    );
  }
  if (agent.kind === 'up' && String(agent.snapshot.pid) !== pid) {
    return warn(
      `${evidence}, but the agent that answers has pid ${agent.snapshot.pid}`,
      'Two agents are running: stop the one that was started by hand.',
    );
  }
  return pass(evidence);
}

function domain(): string {
  return `gui/${userInfo().uid}`;
}

function ask({ programs, env, clock }: CheckContext, args: readonly string[]): Promise<ProgramEnd> {
  return runProgram(programs.launchctl, args, { env, clock, timeoutMs: PROGRAM_MS });
}
