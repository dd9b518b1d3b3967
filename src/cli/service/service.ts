import { existsSync, realpathSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { basename } from 'node:path';
import { chosenConfigPath, variable } from '../../config/places.js';
import { stateDirectoryOrUsual } from '../../config/stateDirectory.js';
import { EdgeError } from '../../errors.js';
import type { AutomationAnswered } from '../../model/operatorApi.js';
import { VITAL_SIGNS, type VitalSignName } from '../../model/vitalSignNames.js';
import { askDaemon } from '../../operator/askDaemon.js';
import { socketPath } from '../../operator/socketPath.js';
import * as control from '../../service/control.js';
import { install as installService } from '../../service/install.js';
import type { RunningAgent } from '../../service/LaunchAgent.js';
import type { RuntimeWishes } from '../../service/runtime.js';
import { Service } from '../../service/Service.js';
import type { ServicePlaces } from '../../service/servicePlaces.js';
import { childEnvironment } from '../../system/childEnvironment.js';
import { sleep, systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { hostPlatform, programs } from '../../system/programs.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, complainOf, give } from '../print.js';

/** The agent asks macOS, for 5 s at most. */
const AUTOMATION_MS = 15_000;
/** Long enough to connect to a backend that is there. */
const SETTLED_MS = 10_000;
const LOOK_EVERY_MS = 200;

export interface InstallWishes {
  readonly configPath?: string;
  readonly runtime?: RuntimeWishes['runtime'];
  readonly node?: boolean;
  readonly sign?: string;
  readonly json?: boolean;
}

/** Installs or upgrades; says at the end what is left for a person to do. */
export async function install(options: InstallWishes): Promise<number> {
  const { runtime = 'private', node: renew = false, sign: identity } = options;
  if (runtime === 'current' && (renew || identity !== undefined)) {
    complain(
      'edge-agent: --node and --sign apply to the copy of node, which --runtime current does not use.',
    );
    return EXIT.usage;
  }
  return withService(async (service) => {
    const configPath = chosenConfigPath(places(options));
    if (!existsSync(configPath)) complain(`There is no ${configPath} yet: the agent will wait for it.`);
    const done = await installService(service, { configPath, runtime, renew, identity });
    const running = await settled(service, done.running, true);
    const { version, previous, runtimeChanged } = done;
    give(
      options,
      { version, previous: previous ?? null, runtime_changed: runtimeChanged, ...shortened(running) },
      ...runningLines(`Installed ${version}.`, running),
      ...(runtimeChanged ? grantAccess(service.places, done) : []),
      ...(previous === undefined ? [] : [`To go back to ${previous}: edge-agent rollback`]),
    );
  });
}

/** Starts the installed agent, also at each login from now on. */
export function start(options: { json?: boolean }): Promise<number> {
  return withService(async (service) => {
    const running = await settled(service, await control.start(service));
    give(options, shortened(running), ...runningLines('Started.', running));
  });
}

/** Stops the installed agent until `start`. */
export function stop(options: { json?: boolean }): Promise<number> {
  return withService(async (service) => {
    await control.stop(service);
    give(options, { stopped: true }, 'Stopped, also at the next login. Start it again: edge-agent start');
  });
}

/** Stops the installed agent cleanly and starts it again. */
export function restart(options: { json?: boolean }): Promise<number> {
  return withService(async (service) => {
    const running = await settled(service, await control.restart(service));
    give(options, shortened(running), ...runningLines('Restarted.', running));
  });
}

/** Goes back to the version before. */
export function rollback(options: { json?: boolean }): Promise<number> {
  return withService(async (service) => {
    const done = await control.rollback(service);
    const { to, from, runtimeChanged, isSameSigner } = done;
    const running = await settled(service, done.running, runtimeChanged);
    give(
      options,
      { version: to, previous: from, runtime_changed: runtimeChanged, ...shortened(running) },
      ...runningLines(`Back at ${to}.`, running),
      ...(runtimeChanged ? grantAccess(service.places, { previous: from, isSameSigner }) : []),
    );
  });
}

/** Performs an action on the service of this user and explains failures. The exit code agrees. */
export async function withService(work: (service: Service) => Promise<void>): Promise<number> {
  try {
    requireMac();
    await work(new Service({ ...surroundings(), print: (line) => complain(line), ask: askAt }));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return error.code === 'no_desktop_session' ? EXIT.cannotTell : EXIT.failed;
  }
}

function requireMac(): void {
  if (hostPlatform() !== 'darwin') {
    throw new EdgeError(
      'not_macos',
      'This verb works on macOS only: it is about a LaunchAgent.',
      'Elsewhere let the service manager of the system run `edge-agent run --service`.',
    );
  }
  if (variable(environment(), 'SUDO_USER') !== undefined && userInfo().uid === 0) {
    throw new EdgeError(
      'no_desktop_session',
      'With sudo, this would apply to the agent of root, who has no Messages.',
      'Run it without sudo, as the user who runs the agent.',
    );
  }
  // sudo of macOS keeps HOME: `sudo -u` of another user would put files of that one here, or fail in the middle.
  const { HOME = homedir() } = environment();
  const owner = statSync(HOME, { throwIfNoEntry: false })?.uid;
  if (owner !== undefined && owner !== userInfo().uid) {
    throw new EdgeError(
      'no_desktop_session',
      `The home directory ${HOME} belongs to another user than the one that runs this.`,
      'Log in as the user who runs the agent, at the screen or by Screen Sharing, and run it there, without sudo.',
    );
  }
}

/** The service sees the files but not the variables of the shell that it is installed from. */
function surroundings() {
  const { HOME = homedir(), ...rest } = environment();
  // On no Mac but one that is played: the program that is installed asks for them too.
  const standIns = Object.entries(rest).filter(([name]) => name.startsWith('STAND_IN_'));
  return {
    homeDir: HOME,
    uid: userInfo().uid,
    env: { ...childEnvironment(rest), HOME, ...Object.fromEntries(standIns) },
    programs: programs(),
    clock: systemClock,
  };
}

async function socketOf(configPath: string): Promise<string> {
  const where = { ...places({ configPath }), env: {}, cwd: homedir() };
  return socketPath(await stateDirectoryOrUsual(where));
}

async function askAt(configPath: string): Promise<RunningAgent | undefined> {
  const answer = await askDaemon(await socketOf(configPath), { verb: 'status' });
  return answer.kind === 'answered' ? answer.result : undefined;
}

/** What is known within moments of every agent that is well, and what an operator waits for. */
const SOON_KNOWN: readonly VitalSignName[] = ['can_read', 'commands_reach_us'];

/** What an agent says of itself, and what is not known yet. */
interface SettledAgent extends RunningAgent {
  readonly unknown: readonly VitalSignName[];
  /** What macOS calls a program of which it does not say whether it may control Messages. */
  readonly undecidable: string | undefined;
}

/**
 * The agent as it is once it knows whether it can do its job: right after its start it knows of no fault. `raise`: a
 * person is probably at the screen, so macOS asks now for the permission to send. `asStarted` if it no longer responds.
 */
async function settled(service: Service, asStarted: RunningAgent, raise = false): Promise<SettledAgent> {
  const end = systemClock.monotonic() + SETTLED_MS;
  const configPath = service.configPath();
  if (configPath === undefined) return { ...asStarted, unknown: [], undecidable: undefined };
  const path = await socketOf(configPath);
  const asked = await askDaemon(path, { verb: 'automation', raise }, AUTOMATION_MS);
  const isDecided = asked.kind !== 'answered' || DECIDED.includes(asked.result.permission);
  const undecidable = isDecided ? undefined : nameInLists(service.places);
  for (;;) {
    const answer = await askDaemon(path, { verb: 'status' });
    if (answer.kind !== 'answered') return { ...asStarted, unknown: [], undecidable };
    const { state, vital_signs: signs, link_detail: link } = answer.result;
    const unknown = SOON_KNOWN.filter((name) => signs?.[name]?.state === 'not_yet_known');
    // One that waits for its configuration learns nothing.
    const isWaiting = state === 'degraded' && link?.state === 'idle' && link.poller === 'off';
    const isOver = isWaiting || systemClock.monotonic() >= end;
    if (unknown.length === 0 || isOver) return { ...answer.result, unknown, undecidable };
    await sleep(systemClock, LOOK_EVERY_MS);
  }
}

/** The agent reports these itself, if they matter. */
const DECIDED: readonly AutomationAnswered['permission'][] = ['granted', 'denied', 'undecided'];

function runningLines(done: string, { pid, state, problems, unknown, undecidable }: SettledAgent): string[] {
  const how = state === 'healthy' && unknown.length > 0 ? 'starting' : state;
  const words = unknown.map((name) => `“${VITAL_SIGNS[name]}”`).join(' and ');
  return [
    `${done} It runs as process ${pid} and is ${how}.`,
    ...problems.flatMap(({ message, remedy }) => [`  ✗ ${message}`, `    → ${remedy}`]),
    ...(how === 'starting' ? [`  Not known yet: ${words}. See: edge-agent status`] : []),
    ...(undecidable === undefined
      ? []
      : [
          `  macOS does not say yet whether "${undecidable}" may control Messages: click OK if it asks at the screen. Then: edge-agent doctor`,
        ]),
  ];
}

/** An agent that answers has more to say than what is printed here. */
function shortened({ pid, state, problems }: RunningAgent): RunningAgent {
  return { pid, state, problems };
}

/** macOS ties permissions to the app, or to the file at the end of all links. */
function grantAccess(
  places: ServicePlaces,
  { previous, isSameSigner }: { previous: string | undefined; isSameSigner: boolean },
): string[] {
  if (isSameSigner) return ['It is signed with the same certificate as before, so its permissions stay.'];
  return [
    previous === undefined
      ? 'Once: let it read chat.db.'
      : 'For macOS it is another program: if it may not read chat.db, remove it from the list and add it again.',
    `  System Settings → Privacy & Security → Full Disk Access → + → ⇧⌘G → ${programInLists(places)}`,
  ];
}

/** What is to be added to a list of System Settings. */
function programInLists({ app, executable, runtime }: ServicePlaces): string {
  const real = realpathSync(runtime);
  return existsSync(executable) && real === realpathSync(executable) ? app : real;
}

function nameInLists(places: ServicePlaces): string {
  return basename(programInLists(places), '.app');
}
