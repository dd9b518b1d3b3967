import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { askAt } from '../../src/cli/askAt.js';
import { type LoadedConfig, loadConfig } from '../../src/config/loadConfig.js';
import { EdgeAgent } from '../../src/daemon/EdgeAgent.js';
import { access, schema } from '../../src/diagnostics/checks/chatDatabase.js';
import type { AgentView, CheckContext } from '../../src/diagnostics/checks/check.js';
import { localNetwork } from '../../src/diagnostics/checks/localNetwork.js';
import { automation, version } from '../../src/diagnostics/checks/macos.js';
import { launchdNode } from '../../src/diagnostics/checks/program.js';
import { runChecks } from '../../src/diagnostics/checks/runChecks.js';
import { launchd } from '../../src/diagnostics/doctor/launchd.js';
import { autoLogin } from '../../src/diagnostics/doctor/mac.js';
import { plistCheck } from '../../src/diagnostics/doctor/plist.js';
import { runtimeLibraries, runtimeSignature } from '../../src/diagnostics/doctor/runtime.js';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import type { AppleVersion } from '../../src/kit/messages/appleSchema.js';
import { dialogsRaised, noteAutomation } from '../../src/kit/messages/automationDialog.js';
import { SimulatedMac } from '../../src/kit/messages/SimulatedMac.js';
import { createLogger } from '../../src/logging/createLogger.js';
import type { AutomationAnswered } from '../../src/model/operatorApi.js';
import type { Problem } from '../../src/model/problem.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { systemClock } from '../../src/system/clock.js';
import { ALLOW_LOCAL_NETWORK } from '../../src/system/network.js';
import { inspectProgram, programs } from '../../src/system/programs.js';
import { ROOT } from '../docs/page.js';
import type { Cleanup } from '../support/EdgeWorld.js';
import { endServing, servedOsascript } from '../support/ServedOsascript.js';
import { ServiceBench } from '../support/ServiceBench.js';
import { until } from '../support/until.js';

/** What a macOS answers otherwise than others; the sources are in docs/macos.md. */
interface MacOs {
  readonly version: string;
  readonly schema: AppleVersion;
  /** The exit code of launchctl where no one is logged in at the desktop. */
  readonly noSession: 112 | 125;
  /** As it is when the Mac was set up with an Apple Account. */
  readonly fileVault: 'On' | 'Off';
  /** Whether the user's TCC.db can be read with Full Disk Access. */
  readonly isTccReadable: boolean;
  /** Whether LaunchAgents are kept from the local network until a user allows it. */
  readonly hasLocalNetworkPrivacy: boolean;
}

const BEFORE_26 = { noSession: 112, fileVault: 'Off', isTccReadable: true } as const;
const SINCE_26 = { schema: 26, noSession: 125, fileVault: 'On', hasLocalNetworkPrivacy: true } as const;
const TABLE: readonly MacOs[] = [
  { version: '13.7.8', schema: 13, hasLocalNetworkPrivacy: false, ...BEFORE_26 },
  { version: '14.8', schema: 14, hasLocalNetworkPrivacy: false, ...BEFORE_26 },
  { version: '15.7', schema: 15, hasLocalNetworkPrivacy: true, ...BEFORE_26 },
  { version: '26.1', isTccReadable: true, ...SINCE_26 },
  { version: '26.4', isTccReadable: true, ...SINCE_26 },
  { version: '27.2', isTccReadable: false, ...SINCE_26, schema: 27 },
];

const TEMPLATE = join(ROOT, 'launchd', 'edge-agent.plist');
const OWN = '+13105550100';
const PERSON = '+13105551234';
const SECRET = 'first-day-secret';
const LONGEST_MS = 60_000;
const CHECKS = [
  ...[version, launchdNode, runtimeSignature, runtimeLibraries, plistCheck(TEMPLATE), launchd],
  ...[access, schema, automation, autoLogin, localNetwork],
];

/** A Mac of that version on which nothing was installed yet, and no dialog was answered. */
async function newMac(context: Cleanup, macOs: MacOs) {
  // In place of the complete node, which would be copied into the app.
  const elsewhere = mkdtempSync(join(tmpdir(), 'edge-node-'));
  context.onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }));
  const node = join(elsewhere, 'node');
  writeFileSync(node, `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 });
  const bench = await ServiceBench.open(context, { node });
  bench.launchd.noSession = macOs.noSession;
  bench.playProgram('sw_vers', `echo ${macOs.version}`);
  bench.playProgram('fdesetup', `echo FileVault is ${macOs.fileVault}.`);
  bench.playProgram('defaults', `echo '${userInfo().username}'`);
  const mac = new SimulatedMac(bench.home, macOs.schema, servedOsascript);
  context.onTestFinished(() => {
    endServing(mac.osascriptDirectory);
    mac.close();
  });
  noteAutomation(mac.osascriptDirectory, 'undecided');
  return { bench, mac, node };
}

type NewMac = Awaited<ReturnType<typeof newMac>>;

function settings({ bench, mac }: NewMac, backendUrl: string): LoadedConfig {
  const env = {
    USER_PHONE: OWN,
    BACKEND_URL: backendUrl,
    EDGE_SECRET: SECRET,
    EDGE_MONITOR_ENABLED: 'false',
    EDGE_SUPERVISOR_ENABLED: 'false',
    EDGE_SUPERVISOR_CAFFEINATE: 'false',
    EDGE_STATE_DIRECTORY: join(bench.home, 'state'),
    EDGE_IMESSAGE_DB_PATH: mac.chatDbPath,
    EDGE_IMESSAGE_OSASCRIPT_PATH: mac.osascriptPath,
  };
  return loadConfig({ env, cwd: bench.home, homeDir: bench.home, platform: 'darwin' });
}

/** The agent itself, in this process. */
async function startAgent(context: Cleanup, newMac: NewMac) {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: silent });
  const loaded = settings(newMac, backend.url);
  const log = createLogger({ file: loaded.config.logging.file, level: 'error', format: 'text' });
  const env = { PATH: process.env.PATH, HOME: newMac.bench.home };
  const agent = new EdgeAgent({ loaded, env, log, platform: 'darwin' });
  context.onTestFinished(async () => {
    await agent.stop();
    log.close();
    await backend.stop();
  });
  await agent.start();
  await backend.until(() => backend.journal.connects.length > 0);
  const send = (text: string) =>
    backend.pushCommand({ command_type: 'send_message_now', payload: { thread_id: PERSON, text } }).commandId;
  const acked = async (id: string) => {
    const ack = () => backend.acks.find(({ body }) => body.command_id === id)?.body;
    await backend.until(() => ack() !== undefined);
    return ack();
  };
  return { agent, backend, loaded, send, acked };
}

/** The result of each check, as a line. */
async function said(
  { bench, node }: NewMac,
  loaded: LoadedConfig,
  agent: AgentView,
  askAgent: CheckContext['askAgent'],
): Promise<Record<string, string>> {
  const { directory } = bench.launchd;
  const played = ['launchctl', 'codesign', 'fdesetup', 'defaults'] as const;
  const standIns = Object.fromEntries(played.map((name) => [name, join(directory, name)]));
  const context: CheckContext = {
    ...{ platform: 'darwin', homeDir: bench.home, env: { PATH: process.env.PATH }, clock: systemClock },
    node: { path: node, version: process.version },
    programs: programs({ ...standIns, swVers: join(directory, 'sw_vers') }),
    inspect: (path) => inspectProgram(path, directory),
    processor: '',
    config: { kind: 'loaded', loaded },
    ...{ agent, askAgent, send: false, confirm: async () => true },
  };
  const { checks } = await runChecks({ context, version: '1.0.0', conceal: (text) => text, checks: CHECKS });
  return Object.fromEntries(checks.map(({ id, verdict, evidence }) => [id, `${verdict} ${evidence}`]));
}

/** What macOS records of a decision, where it may be read. */
function noteInTcc(home: string, client: string, { isTccReadable }: MacOs): void {
  const path = join(home, 'Library', 'Application Support', 'com.apple.TCC', 'TCC.db');
  mkdirSync(isTccReadable ? join(path, '..') : path, { recursive: true });
  if (!isTccReadable) return;
  const database = openDatabase(path);
  database.exec(
    'CREATE TABLE access (service TEXT, client TEXT, auth_value INTEGER, indirect_object_identifier TEXT)',
  );
  const insert = "INSERT INTO access VALUES ('kTCCServiceAppleEvents', ?, 2, 'com.apple.MobileSMS')";
  database.prepare(insert).run(client);
  database.close();
}

describe('the first day on a new Mac, from install and doctor to the first text', {
  concurrent: true,
}, () => {
  test.for(TABLE)('macOS $version', { timeout: 120_000 }, async (macOs, context) => {
    const mac = await newMac(context, macOs);
    const { bench } = mac;
    const install = () => bench.install('one', { runtime: 'private' });
    bench.launchd.hasSession = false;
    await expect(install()).rejects.toMatchObject({ code: 'no_desktop_session' });
    expect(existsSync(bench.places.root)).toBe(false);
    bench.launchd.hasSession = true;
    const { running } = await install();

    const { agent, loaded, send, acked } = await startAgent(context, mac);
    const { directory } = loaded.config.state;
    // On a busy machine macOS may not have reported it in time: then it is asked again.
    const ask = (async (request) => {
      for (;;) {
        const answer = await askAt(directory, request, LONGEST_MS);
        const told = answer.kind === 'answered' ? answer.result : undefined;
        const isUnknown =
          request.verb === 'automation' && (told as AutomationAnswered | undefined)?.permission === 'unknown';
        if (!isUnknown) return answer;
      }
    }) as CheckContext['askAgent'];
    // To launchd the installed one is the agent; what runs here answers in its place.
    const up = (problems = agent.snapshot().problems): AgentView => ({
      kind: 'up',
      snapshot: { ...agent.snapshot(), pid: running.pid, problems },
    });
    const asked = await ask({ verb: 'automation', raise: true });
    expect(asked).toMatchObject({ result: { permission: 'undecided', isDialogOpen: true } });
    const first = send('the first text');
    await until(
      () => agent.snapshot().sends_queued === 1,
      () => 'the text in its queue',
    );
    const always = {
      'macos-version': `PASS ${macOs.version}`,
      'runtime-signature': 'PASS signed ad hoc, and unchanged since',
      'runtime-libraries': 'PASS only those of macOS 13.5 and newer',
      plist: expect.stringMatching(/^PASS .*Edge Agent\.app.*as this version has it$/),
      'chatdb-access': expect.stringMatching(/^PASS .*by the running agent too$/),
      'chatdb-schema': expect.stringMatching(/^PASS all there/),
      'auto-login': expect.stringMatching(
        macOs.fileVault === 'On' ? /^WARN FileVault is on/ : /^PASS FileVault is off/,
      ),
    };
    expect(await said(mac, loaded, up(), ask)).toMatchObject({
      ...always,
      launchd: `PASS state running, pid ${running.pid}, 1 start`,
      automation: 'FAIL a dialog on the screen of this Mac asks for it now; texts wait',
      'local-network': 'SKIP the backend is on this Mac',
    });
    expect(mac.mac.sent()).toEqual([]);
    expect(agent.snapshot().vital_signs.can_send.codes).toEqual(['automation_pending']);

    noteAutomation(mac.mac.osascriptDirectory, 'granted');
    expect(await acked(first)).toMatchObject({ status: 'completed' });
    expect(mac.mac.sent().map(({ text }) => text)).toEqual(['the first text']);
    expect(dialogsRaised(mac.mac.osascriptDirectory)).toBe(1);
    expect(agent.snapshot().vital_signs.can_send.state).toBe('ok');

    const inLan = settings(mac, 'https://192.168.1.20');
    const kept: Problem = {
      code: 'backend_unreachable',
      since: new Date().toISOString(),
      message: 'The backend cannot be reached: connect EHOSTUNREACH 192.168.1.20:443.',
      remedy: ALLOW_LOCAL_NETWORK,
    };
    expect(await said(mac, inLan, up(macOs.hasLocalNetworkPrivacy ? [kept] : []), ask)).toMatchObject({
      ...always,
      automation: 'PASS macOS grants it to the running agent',
      'local-network': expect.stringMatching(
        macOs.hasLocalNetworkPrivacy
          ? /^FAIL the running agent: .*EHOSTUNREACH/
          : /^PASS the running agent reaches it/,
      ),
    });

    noteInTcc(bench.home, bench.service.bundleId, macOs);
    bench.launchd.hasSession = false;
    expect(await said(mac, loaded, { kind: 'down' }, ask)).toMatchObject({
      launchd: 'WARN this user has no desktop session, so launchd cannot be queried',
      automation: macOs.isTccReadable
        ? `PASS granted to ${bench.service.bundleId}`
        : 'SKIP only the running agent can find out, and none runs',
    });
    bench.launchd.hasSession = true;
  });
});
