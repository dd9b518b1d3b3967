import { chmodSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { backendSettings } from '../../../src/backend/settings.js';
import { loadConfig } from '../../../src/config/loadConfig.js';
import type { AgentView } from '../../../src/diagnostics/checks/check.js';
import type { Report } from '../../../src/diagnostics/checks/runChecks.js';
import { doctorChecks } from '../../../src/diagnostics/doctor/doctorChecks.js';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { dialogsRaised, noteAutomation } from '../../../src/kit/messages/automationDialog.js';
import type { StatusSnapshot } from '../../../src/model/status.js';
import type { AskDaemon } from '../../../src/operator/askDaemon.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { systemClock } from '../../../src/system/clock.js';
import { httpsHost } from '../../attachments/HttpsHost.js';
import { ROOT } from '../../docs/page.js';
import { vitalSignsFixture } from '../../support/statusFixture.js';
import { temporaryStore } from '../../support/temporaryStore.js';
import { SECRET, TestContext, VERSION } from '../checks/TestContext.js';

const TEMPLATE = join(ROOT, 'launchd', 'edge-agent.plist');
const PRINTED =
  'gui/501/edge-agent = {\n\tpath = /x\n\tstate = running\n\tpid = 4711\n\truns = 3\n\tlast exit code = 0\n}';

/** An installation on which all is well, as the doctor sees it. */
class Patient extends TestContext {
  constructor() {
    super();
    this.program('pmset', "printf ' sleep                0\\n autorestart          1\\n'");
    this.program('fdesetup', 'echo FileVault is Off.');
    this.program('defaults', `echo '${userInfo().username}'`);
    this.program('node', 'echo v22.21.0');
    this.program('launchctl', `cat <<'END'\n${PRINTED}\nEND`);
    this.plist();
    this.answers();
    mkdirSync(join(this.standIns.directory, 'program', 'dist', 'cli'), { recursive: true });
    this.file('program/dist/cli/main.js', '');
    this.file('program/package.json', JSON.stringify({ version: VERSION }));
    temporaryStore(systemClock, this.state);
    log(this);
  }

  /** The LaunchAgent as this version would write it, then changed. */
  plist(change: (text: string) => string = (text) => text): void {
    const values: Record<string, string> = {
      NODE: this.nodePath,
      RUNTIME: this.nodePath,
      HOME: this.homeDir,
    };
    const filled = readFileSync(TEMPLATE, 'utf8').replaceAll(/@([A-Z]+)@/g, (_all, name: string) => {
      return values[name] ?? join(this.standIns.directory, 'program');
    });
    const path = join(this.homeDir, 'Library', 'LaunchAgents', 'edge-agent.plist');
    const config = join(this.homeDir, 'Library', 'Application Support', 'edge-agent');
    mkdirSync(config, { recursive: true });
    writeFileSync(join(config, 'config.yaml'), 'logging:\n  format: text\n');
    writeFileSync(path, change(filled), { mode: 0o644 });
  }

  /** A running agent with this status. */
  answers(
    snapshot: Partial<StatusSnapshot> = {},
    runtime = { node_path: this.nodePath, node_version: 'v22.21.0' },
  ): void {
    const whole = {
      version: VERSION,
      pid: 4711,
      problems: [],
      vital_signs: vitalSignsFixture(),
      link: 'realtime',
      link_detail: { state: 'online', since: new Date().toISOString(), rtt_ms: 12, reconnects_24h: 0 },
      ...snapshot,
    } as unknown as StatusSnapshot;
    const askAgent = (async ({ verb }) => ({
      kind: 'answered',
      result:
        verb === 'config'
          ? []
          : verb === 'automation'
            ? { permission: 'granted', isDialogOpen: false }
            : runtime,
    })) as AskDaemon;
    this.changes = { ...this.changes, agent: { kind: 'up', snapshot: whole }, askAgent };
  }

  /** None runs, or that is not known. */
  silent(agent: AgentView = { kind: 'down' }): void {
    this.changes = { ...this.changes, agent };
  }

  file(name: string, text: string): string {
    const path = join(this.standIns.directory, name);
    writeFileSync(path, text);
    return path;
  }

  /** A file of the configuration, so that `.env` counts. */
  dotenv(text: string, mode: number): void {
    const directory = join(this.homeDir, 'Library', 'Application Support', 'edge-agent');
    const env = { ...this.context().env, EDGE_SECRET: '' };
    writeFileSync(join(directory, '.env'), text);
    chmodSync(join(directory, '.env'), mode);
    const loaded = loadConfig({ env, cwd: directory, homeDir: this.homeDir, platform: 'darwin' });
    this.changes = { ...this.changes, config: { kind: 'loaded', loaded } };
  }

  backend(url: string): void {
    this.settings = { ...this.settings, BACKEND_URL: url };
  }

  see(...ids: readonly string[]): Promise<Report> {
    return this.examine(doctorChecks({ version: VERSION, template: TEMPLATE, backendSettings }), ...ids);
  }
}

const verdicts = (report: Report) =>
  Object.fromEntries(report.checks.map(({ id, verdict }) => [id, verdict]));
const finding = (report: Report, id: string) => report.checks.find((check) => check.id === id);

async function simulated(): Promise<SimulatedBackend> {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
  onTestFinished(() => backend.stop());
  return backend;
}

async function server(answer: RequestListener): Promise<string> {
  const http = createServer(answer);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

test('on a healthy Mac, nothing needs fixing', async () => {
  const patient = new Patient();
  patient.backend((await simulated()).url);
  const report = await patient.see();
  const others = report.checks.filter(({ verdict }) => verdict !== 'PASS');
  expect(others.map(({ id, verdict }) => [id, verdict])).toEqual([
    ['update', 'SKIP'],
    ['tls', 'SKIP'],
    ['local-network', 'SKIP'],
  ]);
});

const faults: readonly (readonly [string, string, string | RegExp, (patient: Patient) => unknown])[] = [
  ['secret', 'FAIL', 'neither', (p) => Object.assign(p.settings, { EDGE_SECRET: '' })],
  ['secret', 'FAIL', 'mode 0644', (p) => p.dotenv(`EDGE_SECRET=${SECRET}`, 0o644)],
  ['secret', 'PASS', 'signs tokens', (p) => p.dotenv(`EDGE_SECRET=${SECRET}`, 0o600)],
  [
    'secret',
    'FAIL',
    'not on this machine',
    (p) => Object.assign(p.settings, { BACKEND_URL: 'https://b.example.com', EDGE_AUTH_MODE: 'secret' }),
  ],
  [
    'secret',
    'WARN',
    'not on this machine',
    (p) =>
      Object.assign(p.settings, {
        BACKEND_URL: 'https://b.example.com',
        EDGE_AUTH_MODE: 'secret',
        EDGE_AUTH_ALLOW_PLAIN_SECRET: 'true',
      }),
  ],
  [
    'store',
    'FAIL',
    /not a database|malformed/,
    (p) => Object.assign(p.settings, { EDGE_STATE_DIRECTORY: damagedStore(p) }),
  ],
  ['store', 'FAIL', 'log is damaged', (p) => spoilLog(p)],
  ['store', 'FAIL', 'newer edge-agent', (p) => userVersion(p, 10_000)],
  [
    'store',
    'SKIP',
    'does not exist yet',
    (p) => Object.assign(p.settings, { EDGE_STATE_DIRECTORY: '/nowhere/state' }),
  ],
  ['log-size', 'WARN', '600 MB', (p) => truncateSync(log(p), 600 * 1024 ** 2)],
  ['log-size', 'PASS', 'under 1 MB', (p) => log(p)],
  ['log-size', 'WARN', 'an agent runs, but there is no', (p) => rmSync(log(p))],
  [
    'log-size',
    'SKIP',
    'no log yet',
    (p) => {
      p.silent();
      rmSync(log(p));
    },
  ],
  [
    'plist',
    'FAIL',
    '/no/such/program',
    (p) =>
      p.plist((text) => text.replaceAll(p.nodePath, '/no/such/program').replaceAll('--config', '--other')),
  ],
  ['node', 'FAIL', 'does not run', (p) => p.program('node', 'exit 1')],
  ['node', 'FAIL', 'v18.0.0', (p) => p.program('node', 'echo v18.0.0')],
  [
    'plist',
    'FAIL',
    '/no/such/program',
    (p) => p.plist((text) => text.replaceAll(p.nodePath, '/no/such/program')),
  ],
  ['plist', 'FAIL', 'holds a secret', (p) => p.plist((text) => text.replace('Interactive', SECRET))],
  ['plist', 'FAIL', 'written by others', (p) => chmodSync(plistPath(p), 0o666)],
  ['plist', 'WARN', 'differs', (p) => p.plist((text) => text.replace('Interactive', 'Background'))],
  ['plist', 'PASS', 'node', (p) => p.plist((text) => text.replaceAll(/<!--[\s\S]*?-->/g, ''))],
  ['launchd', 'FAIL', 'does not know', (p) => p.program('launchctl', 'exit 113')],
  [
    'launchd',
    'FAIL',
    'disabled, as after edge-agent stop',
    (p) => p.program('launchctl', 'case $1 in print) exit 113;; *) echo \'"edge-agent" => disabled\';; esac'),
  ],
  [
    'launchd',
    'WARN',
    'will not start at the next login',
    (p) => p.program('launchctl', `cat <<'END'\n${PRINTED}\nEND\necho '"edge-agent" => disabled'`),
  ],
  ['launchd', 'WARN', 'no desktop session', (p) => p.program('launchctl', 'exit 112')],
  ['launchd', 'WARN', 'no desktop session', (p) => p.program('launchctl', 'exit 125')],
  [
    'launchd',
    'FAIL',
    'last exit code 78',
    (p) => p.program('launchctl', "printf ' state = spawn scheduled\\n last exit code = 78\\n'"),
  ],
  ['launchd', 'FAIL', 'does not answer', (p) => p.silent()],
  ['launchd', 'WARN', 'pid 1', (p) => p.answers({ pid: 1 })],
  ['drift', 'WARN', 'edge-agent 0.0.9 runs', (p) => p.answers({ version: '0.0.9' })],
  ['drift', 'FAIL', 'removed', (p) => p.answers({}, { node_path: '/gone/node', node_version: 'v20.0.0' })],
  [
    'drift',
    'WARN',
    process.execPath,
    (p) => p.answers({}, { node_path: process.execPath, node_version: 'v22.21.0' }),
  ],
  ['drift', 'WARN', 'v24.0.0', (p) => p.program('node', 'echo v24.0.0')],
  ['drift', 'SKIP', 'no agent', (p) => p.silent()],
  ['drift', 'WARN', 'this command is', (p) => installedVersion(p, '0.2.0')],
  ['autorestart', 'WARN', 'autorestart 0', (p) => p.program('pmset', "echo ' autorestart 0'")],
  ['autorestart', 'SKIP', 'no such setting', (p) => p.program('pmset', "echo ' sleep 0'")],
  ['auto-login', 'WARN', 'FileVault is on', (p) => p.program('fdesetup', 'echo FileVault is On.')],
  ['auto-login', 'WARN', 'did not answer', (p) => p.program('fdesetup', 'exit 1')],
  ['auto-login', 'WARN', 'did not answer', (p) => p.program('fdesetup', 'echo something else')],
  ['auto-login', 'WARN', 'not set up', (p) => p.program('defaults', 'exit 1')],
  ['auto-login', 'WARN', 'another user', (p) => p.program('defaults', 'echo somebody-else')],
  [
    'chatdb-access',
    'FAIL',
    'no Full Disk Access',
    (p) => p.answers({ problems: [problem('chatdb_not_permitted', 'it has no Full Disk Access')] }),
  ],
  [
    'chatdb-access',
    'FAIL',
    'There is no',
    (p) => Object.assign(p.settings, { EDGE_IMESSAGE_DB_PATH: '/nowhere/chat.db' }),
  ],
  [
    'websocket',
    'FAIL',
    'refused it',
    (p) => p.answers({ link: 'offline', problems: [problem('websocket_unavailable', 'refused it')] }),
  ],
  ['websocket', 'WARN', 'polling', (p) => p.answers({ link: 'polling' })],
  [
    'websocket',
    'SKIP',
    'enabled is false',
    (p) => Object.assign(p.settings, { EDGE_WEBSOCKET_ENABLED: 'false' }),
  ],
  [
    'auth',
    'FAIL',
    'was refused',
    (p) => p.answers({ problems: [problem('backend_unauthorised', 'was refused')] }),
  ],
  ['auth', 'SKIP', 'does not respond', (p) => p.silent({ kind: 'unclear', message: 'no answer' })],
  ['websocket', 'SKIP', 'does not respond', (p) => p.silent({ kind: 'unclear', message: 'no answer' })],
];

test.each(faults)('%s says %s: %s', async (id, verdict, words, spoil) => {
  const patient = new Patient();
  spoil(patient);
  const found = finding(await patient.see(id), id);
  expect(found).toMatchObject({ verdict, evidence: expect.stringMatching(words) });
  if (verdict === 'FAIL' || verdict === 'WARN') expect(found?.remedy).toMatch(/\S/);
});

function problem(
  code: 'chatdb_not_permitted' | 'websocket_unavailable' | 'backend_unauthorised',
  message: string,
) {
  return { code, message, since: new Date().toISOString(), remedy: 'mend it' };
}

function plistPath(patient: Patient): string {
  return join(patient.homeDir, 'Library', 'LaunchAgents', 'edge-agent.plist');
}

function log(patient: Patient): string {
  const path = join(patient.state, 'edge-agent.log');
  writeFileSync(path, '', { mode: 0o600 });
  return path;
}

/** Its last commit cannot be read, so that SQLite takes the one before for the last. */
function spoilLog(patient: Patient): void {
  const path = join(patient.state, 'edge-agent.db-wal');
  const log = readFileSync(path);
  log.fill(0x5a, log.length - 100);
  writeFileSync(path, log);
}

function damagedStore(patient: Patient): string {
  const directory = join(patient.standIns.directory, 'damaged');
  mkdirSync(directory, { mode: 0o700 });
  writeFileSync(join(directory, 'edge-agent.db'), 'nonsense'.repeat(2_000));
  return directory;
}

function userVersion(patient: Patient, version: number): void {
  const database = openDatabase(join(patient.state, 'edge-agent.db'));
  database.pragma(`user_version = ${version}`);
  database.close();
}

function installedVersion(patient: Patient, version: string): void {
  patient.file('program/package.json', JSON.stringify({ version }));
  patient.answers({ version });
}

describe('the path to grant', () => {
  test('is that of the binary that launchd runs, not of the terminal', async () => {
    const patient = new Patient();
    patient.silent();
    patient.permission(0);
    const denied = finding(await patient.see('automation'), 'automation');
    expect(denied?.evidence).toContain(patient.nodePath);
  });

  test('is none before the installation: neither a terminal nor its node is what the agent will be', async () => {
    const patient = new Patient();
    patient.silent();
    patient.permission(0);
    rmSync(join(patient.homeDir, 'Library', 'LaunchAgents'), { recursive: true });
    expect(finding(await patient.see('automation'), 'automation')).toMatchObject({
      verdict: 'SKIP',
      evidence: expect.stringContaining('none is installed'),
    });
    expect(finding(await patient.see('chatdb-access'), 'chatdb-access')?.evidence).toContain(
      'by this terminal: no agent runs',
    );
  });

  test('a terminal that may not read chat.db is no fault if the agent may', async () => {
    const patient = new Patient();
    expect(finding(await patient.see('chatdb-access'), 'chatdb-access')).toMatchObject({
      verdict: 'PASS',
      evidence: expect.stringContaining('by the running agent too'),
    });
  });
});

describe('Messages is asked for its accounts', () => {
  test('only if that raises no dialog', async () => {
    const patient = new Patient();
    // The terminal asks only where no agent can.
    patient.silent();
    noteAutomation(patient.mac.osascriptDirectory, 'undecided');
    expect(finding(await patient.see('signed-in'), 'signed-in')?.verdict).toBe('SKIP');
    expect(patient.standIns.calls('osascript-any').join()).not.toContain('accounts');
    expect(dialogsRaised(patient.mac.osascriptDirectory)).toBe(0);
    noteAutomation(patient.mac.osascriptDirectory, 'granted');
    expect(finding(await patient.see('signed-in'), 'signed-in')?.verdict).toBe('PASS');
    expect(patient.standIns.calls('osascript-any').join()).toContain('accounts');
  });
});

describe('the route to the backend', () => {
  test('ends at the first step that fails, and names it', async () => {
    const patient = new Patient();
    patient.silent();
    patient.backend('http://127.0.0.1:1');
    const report = await patient.see('dns', 'tcp', 'tls', 'http', 'clock', 'auth', 'websocket');
    expect(verdicts(report)).toEqual({
      dns: 'PASS',
      tcp: 'FAIL',
      tls: 'SKIP',
      http: 'SKIP',
      clock: 'SKIP',
      auth: 'SKIP',
      websocket: 'SKIP',
    });
    expect(finding(report, 'tcp')?.evidence).toMatch(/ECONNREFUSED.*after \d+ ms/);
    expect(finding(report, 'auth')?.evidence).toBe('tcp failed');
  });

  test('a name that does not resolve', async () => {
    const patient = new Patient();
    patient.backend('https://nobody-has-this.invalid');
    const report = await patient.see('dns', 'tcp');
    expect(verdicts(report)).toEqual({ dns: 'FAIL', tcp: 'SKIP' });
    expect(finding(report, 'dns')?.remedy).toContain('nobody-has-this.invalid');
  });

  test('a certificate that cannot be verified', async () => {
    const patient = new Patient();
    const { port } = await httpsHost((_request, response) => response.end());
    patient.backend(`https://localhost:${port}`);
    const report = await patient.see('dns', 'tcp', 'tls', 'http');
    expect(verdicts(report)).toEqual({ dns: 'PASS', tcp: 'PASS', tls: 'FAIL', http: 'SKIP' });
    expect(finding(report, 'tls')?.evidence).toMatch(/self-signed certificate/);
  });

  test.each([
    [500, 'FAIL'],
    [302, 'FAIL'],
    [404, 'PASS'],
  ])('HTTP %i to /health is %s', async (status, verdict) => {
    const patient = new Patient();
    patient.backend(await server((_request, response) => response.writeHead(status).end()));
    expect(verdicts(await patient.see('http')).http).toBe(verdict);
  });

  test.each([
    [0, 'PASS', /^0\.\d s/],
    [-90, 'WARN', /^90 s ahead of/],
    [600, 'FAIL', /^(599|600) s behind/],
  ])('a backend whose clock is %i s off: %s', async (seconds, verdict, words) => {
    const patient = new Patient();
    patient.backend(
      await server((_request, response) => {
        response.sendDate = false;
        response.setHeader('Date', new Date(Date.now() + seconds * 1_000).toUTCString());
        response.end();
      }),
    );
    const report = await patient.see('http', 'clock');
    expect(finding(report, 'clock')).toMatchObject({ verdict, evidence: expect.stringMatching(words) });
  });
});

describe('the credentials, while no agent runs', () => {
  test('are verified by HTTP and by the WebSocket, each timed, and no command is taken', async () => {
    const backend = await simulated();
    const agentId = 'edge_13105550100';
    const byPoll = backend.pushCommand({ command_type: 'emit_event' }, { agentId, via: 'polling' });
    const bySocket = backend.pushCommand({ command_type: 'emit_event' }, { agentId });
    const patient = new Patient();
    patient.silent();
    patient.backend(backend.url);
    const report = await patient.see('http', 'auth', 'websocket');
    expect(finding(report, 'auth')).toMatchObject({
      verdict: 'PASS',
      evidence: expect.stringMatching(/edge_\S+, in \d+ ms/),
    });
    expect(finding(report, 'websocket')).toMatchObject({
      verdict: 'PASS',
      evidence: expect.stringMatching(/opened in \d+ ms, ping answered in \d+ ms/),
    });
    expect(backend.journal.registrations).toEqual([]);
    expect(backend.journal.syncs).toEqual([]);
    const waiting = await backend.commands.waiting(agentId);
    expect(waiting.map(({ command_id }) => command_id)).toEqual([byPoll.commandId, bySocket.commandId]);
  });

  test('that are wrong are reported, with the remedy', async () => {
    const patient = new Patient();
    patient.silent();
    patient.settings = { EDGE_SECRET: 'another-secret' };
    patient.backend((await simulated()).url);
    const report = await patient.see('http', 'auth', 'websocket');
    expect(verdicts(report)).toMatchObject({ auth: 'FAIL', websocket: 'FAIL' });
    expect(finding(report, 'auth')).toMatchObject({
      evidence: expect.stringContaining('HTTP 403'),
      remedy: expect.stringContaining('EDGE_SECRET'),
    });
    expect(finding(report, 'websocket')?.remedy).toContain('EDGE_SECRET');
  });

  test('a backend that delays its pongs, or closes at once, or has no WebSocket', async () => {
    const backend = await simulated();
    const patient = new Patient();
    patient.silent();
    patient.backend(backend.url);
    backend.refuseUpgrades(404);
    expect(finding(await patient.see('websocket'), 'websocket')).toMatchObject({
      verdict: 'FAIL',
      remedy: expect.stringContaining('/edge/ws'),
    });
    backend.refuseUpgrades(null);
    backend.observe(({ kind }) => {
      if (kind === 'connected') backend.closeWith(4409);
    });
    backend.holdPongs();
    expect(finding(await patient.see('websocket'), 'websocket')).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining('another agent connected with the same id'),
      remedy: expect.stringContaining('Stop one of the two'),
    });
  });

  test('a backend that accepts no acks by HTTP proves nothing', async () => {
    const patient = new Patient();
    patient.silent();
    patient.backend(await server((_request, response) => response.writeHead(404).end()));
    expect(verdicts(await patient.see('auth')).auth).toBe('SKIP');
  });
});

test('a running agent that got no answer, or only 404, is not reported as accepted', async () => {
  const backend = await simulated();
  const patient = new Patient();
  patient.backend(backend.url);
  const nobody: StatusSnapshot['vital_signs']['can_post'] = {
    state: 'not_yet_known',
    evidence: 'no',
    evidence_at: null,
    codes: [],
  };
  const unseen = vitalSignsFixture({ can_post: nobody, commands_reach_us: nobody });
  patient.answers({ vital_signs: unseen });
  expect(verdicts(await patient.see('auth')).auth).toBe('SKIP');
  const problem = {
    code: 'sync_failing',
    since: '',
    message: 'It takes no sync: HTTP 404.',
    remedy: 'x',
  } as const;
  const failing: typeof nobody = {
    state: 'failing',
    evidence: '',
    evidence_at: null,
    codes: ['sync_failing'],
  };
  patient.answers({
    problems: [problem],
    vital_signs: vitalSignsFixture({
      can_post: nobody,
      commands_reach_us: failing,
    }),
  });
  expect(finding(await patient.see('auth'), 'auth')).toMatchObject({
    verdict: 'WARN',
    evidence: expect.stringContaining('HTTP 404'),
  });
});

test('a running agent is asked instead of the backend: its link is not displaced', async () => {
  const backend = await simulated();
  const patient = new Patient();
  patient.backend(backend.url);
  const report = await patient.see('dns', 'tcp', 'tls', 'http', 'clock', 'auth', 'websocket');
  expect(verdicts(report)).toMatchObject({ auth: 'PASS', websocket: 'PASS' });
  expect(finding(report, 'websocket')?.evidence).toContain('12 ms');
  expect(backend.journal.connects).toEqual([]);
  expect(backend.acks).toEqual([]);
});

test('each check has a unique id and describes what it looks at', () => {
  const checks = doctorChecks({ version: VERSION, template: TEMPLATE, backendSettings });
  expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
  for (const { id, title } of checks) {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(title).toMatch(/\S/);
  }
});
