import { type Probe, probe } from '../../backend/probe.js';
import { REGISTRATION_KEY } from '../../backend/Registration.js';
import type { BackendSettings } from '../../backend/settings.js';
import type { Config } from '../../config/schema.js';
import { openToLook } from '../../store/lookIntoStore.js';
import { access } from '../checks/chatDatabase.js';
import type { Check, ConfiguredBench } from '../checks/check.js';
import { localNetwork } from '../checks/localNetwork.js';
import { automation, messagesRunning, sleep } from '../checks/macos.js';
import { agent } from '../checks/program.js';
import { config, stateDirectory } from '../checks/settings.js';
import { agentNode } from './agentNode.js';
import { credentialChecks } from './credentials.js';
import { driftCheck } from './drift.js';
import { launchd } from './launchd.js';
import { autoLogin, autorestart, signedIn } from './mac.js';
import { networkChecks, outboundOf, type Way } from './network.js';
import { plistCheck } from './plist.js';
import { runtimeLibraries, runtimeSignature } from './runtime.js';
import { disk, logSize, secret, store, storePath } from './state.js';
import { updateCheck } from './update.js';

interface DoctorOptions {
  /** Of the edge-agent that is installed. */
  readonly version: string;
  /** The path of the LaunchAgent template. */
  readonly template: string;
  readonly backendSettings: (config: Config) => BackendSettings;
}

/** Of each question to the backend, in ms. */
const PATIENCE_MS = 10_000;

/**
 * Every check of the doctor, from what the rest needs to what needs the rest: what is installed, the way to the backend,
 * Messages, the Mac. None of them changes anything or disturbs a running agent; the one dialog that may be raised is the one by
 * which macOS asks for what the agent needs.
 */
export function doctorChecks({ version, template, backendSettings }: DoctorOptions): readonly Check[] {
  const way: Way = {};
  const probeOf = (context: ConfiguredBench): Probe => {
    const { loaded } = context.config;
    return probe({
      settings: backendSettings(loaded.config),
      secrets: loaded.secrets,
      outbound: outboundOf(context),
      registration: registrationIn(storePath(context)),
      version,
      clock: context.clock,
      timeoutMs: PATIENCE_MS,
    });
  };
  return [
    config,
    secret,
    stateDirectory,
    disk,
    store,
    logSize,
    agentNode,
    runtimeSignature,
    runtimeLibraries,
    plistCheck(template),
    launchd,
    agent,
    driftCheck(version),
    updateCheck(version),
    ...networkChecks(way),
    localNetwork,
    ...credentialChecks(way, probeOf),
    access,
    automation,
    messagesRunning,
    signedIn,
    sleep,
    autorestart,
    autoLogin,
  ];
}

/** What the store keeps of an earlier registration; undefined if there is none to be read. */
function registrationIn(path: string): string | undefined {
  try {
    const database = openToLook(path);
    try {
      const found = database.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(REGISTRATION_KEY);
      return typeof found === 'string' ? found : undefined;
    } finally {
      database.close();
    }
  } catch {
    // Missing or damaged: the check of the store says so, and the agent would go by the id of its phone.
    return undefined;
  }
}
