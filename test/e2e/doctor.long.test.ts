import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { extract } from 'tar';
import { describe, expect, type TestContext, test } from 'vitest';
import type { Report } from '../../src/diagnostics/checks/runChecks.js';
import { AGENT_ID, EdgeWorld, OWN, PERSON, SECRET } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const WITHDRAW = fileURLToPath(new URL('../support/withdrawPermission.mjs', import.meta.url));
const verdicts = ({ checks }: Report) => Object.fromEntries(checks.map(({ id, verdict }) => [id, verdict]));
const finding = ({ checks }: Report, id: string) => checks.find((check) => check.id === id);
const doctor = async (world: EdgeWorld) => JSON.parse((await world.cli('doctor', '--json')).stdout) as Report;

describe('edge-agent doctor', () => {
  test('with the agent up: its link is left alone, and its own answers are used', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const report = await doctor(world);
    expect(verdicts(report)).toMatchObject({
      config: 'PASS',
      secret: 'PASS',
      'state-directory': 'PASS',
      store: 'PASS',
      'log-size': 'PASS',
      agent: 'PASS',
      drift: 'PASS',
      dns: 'PASS',
      tcp: 'PASS',
      http: 'PASS',
      clock: 'PASS',
      auth: 'PASS',
      websocket: 'PASS',
      'chatdb-access': 'PASS',
    });
    expect(report.summary.FAIL).toBe(0);
    expect(finding(report, 'websocket')?.evidence).toMatch(/ping answered in \d+ ms, online for/);
    expect(world.backend.journal.connects).toHaveLength(1);
    expect(world.backend.connections).toHaveLength(1);
    const { exitCode, stdout } = await world.cli('doctor');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^PASS {2}websocket {9}\S/m);
    expect(stdout).toMatch(/\d+ PASS, \d+ WARN, 0 FAIL, \d+ SKIP/);
  });

  test('with the agent down: it connects itself, and the agent executes the waiting commands once', async (context) => {
    const world = await EdgeWorld.open(context);
    const payload = { thread_id: PERSON, text: 'waited for the agent' };
    const { commandId } = world.backend.pushCommand(
      { command_type: 'send_message_now', payload },
      { agentId: AGENT_ID },
    );
    const report = await doctor(world);
    expect(verdicts(report)).toMatchObject({ agent: 'SKIP', store: 'SKIP', auth: 'PASS', websocket: 'PASS' });
    expect(world.texts).toEqual([]);
    await world.start();
    await world.acked(commandId);
    expect(world.texts).toEqual(['waited for the agent']);
  });

  test('with wrong credentials: the same, whether the agent is up or down, and exit 1', async (context) => {
    const world = await EdgeWorld.open(context, { secret: 'another' });
    const down = await doctor(world);
    expect(verdicts(down)).toMatchObject({ auth: 'FAIL', websocket: 'FAIL' });
    const agent = await world.startDegraded();
    await agent.statusUntil(
      ({ snapshot }) => snapshot?.problems.some(({ code }) => code === 'backend_unauthorised') === true,
    );
    const { exitCode, stdout } = await world.cli('doctor', '--json');
    expect(exitCode).toBe(1);
    expect(verdicts(JSON.parse(stdout) as Report)).toMatchObject({
      auth: 'FAIL',
      websocket: 'FAIL',
      http: 'PASS',
    });
    expect(stdout).not.toContain('another');
  });

  test.for([
    ['EPERM', 'it has no Full Disk Access', /Full Disk Access, add \S+\/runtime and switch it on/],
    ['EACCES', 'File permissions do not let this user read', /the user who is signed in to Messages/],
    ['ENOENT', 'Messages was never signed in here', /Open Messages and sign in/],
  ] as const)(
    'chat.db that answers %s: the reason, and the exact binary to be allowed',
    async ([code, why, remedy], context) => {
      const world = await EdgeWorld.open(context);
      const runtime = join(world.directory, 'runtime');
      writeFileSync(runtime, '#!/bin/sh\necho v22.0.0\n', { mode: 0o755 });
      const agents = join(world.directory, 'Library', 'LaunchAgents');
      mkdirSync(agents, { recursive: true });
      const plist = `<plist><dict><key>ProgramArguments</key><array><string>${runtime}</string></array></dict></plist>`;
      writeFileSync(join(agents, 'edge-agent.plist'), plist);
      Object.assign(world.place.env, {
        STAND_IN_PROGRAMS: join(world.directory, 'programs'),
        NODE_OPTIONS: `--import ${pathToFileURL(WITHDRAW).href}`,
        WITHDRAWN_WHILE: world.configPath,
        WITHDRAWN_PATH: join(world.directory, 'Messages'),
        WITHDRAWN_CODE: code,
      });
      const report = await doctor(world);
      expect(finding(report, 'chatdb-access')).toMatchObject({
        verdict: 'FAIL',
        evidence: expect.stringContaining(why),
        remedy: expect.stringMatching(remedy),
      });
    },
  );

  test('before the installation a terminal that may not read chat.db is advised to install, not to allow its own node', async (context) => {
    const world = await EdgeWorld.open(context);
    Object.assign(world.place.env, {
      STAND_IN_PROGRAMS: join(world.directory, 'programs'),
      NODE_OPTIONS: `--import ${pathToFileURL(WITHDRAW).href}`,
      WITHDRAWN_WHILE: world.configPath,
      WITHDRAWN_PATH: join(world.directory, 'Messages'),
    });
    const found = finding(await doctor(world), 'chatdb-access');
    expect(found).toMatchObject({ verdict: 'WARN', remedy: expect.stringContaining('edge-agent install') });
    expect(JSON.stringify(found)).not.toContain('/node');
  });

  test('with a broken configuration: every mistake is listed, and checks that need none of it run', async (context) => {
    const world = await EdgeWorld.open(context);
    world.writeConfig({ 'edge.user_phone': 'nonsense', 'websocket.ping_interval_seconds': 0 });
    const { exitCode, stdout } = await world.cli('doctor', '--json');
    const report = JSON.parse(stdout) as Report;
    expect(exitCode).toBe(1);
    expect(finding(report, 'config')?.evidence).toMatch(
      /edge\.user_phone[\s\S]*websocket\.ping_interval_seconds/,
    );
    expect(verdicts(report)).toMatchObject({ node: 'PASS', websocket: 'SKIP' });
  });
});

/** What is in the archive, by name. */
async function unpacked(world: EdgeWorld, file: string): Promise<ReadonlyMap<string, string>> {
  const directory = join(world.directory, 'unpacked');
  mkdirSync(directory);
  await extract({ file: join(world.directory, file), cwd: directory });
  const folder = join(directory, 'edge-agent-bundle');
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

async function worldWithTraffic(context: TestContext): Promise<EdgeWorld> {
  const world = await EdgeWorld.open(context, {
    settings: { 'logging.level': 'debug', 'forward.ignore': ['(310) 555-7788', 'foe@example.com'] },
  });
  const agent = await world.start();
  world.mac.chatDb.receive({ text: TEXTS[0], from: PERSON, chat: world.mac.chatDb.directChat(PERSON) });
  await world.sent(1);
  await world.acked(world.command(TEXTS[1]));
  await until(
    () => agent.lines().some((line) => line.includes('[DEBUG]')),
    () => 'a line of level debug',
  );
  return world;
}

const TEXTS = ['a secret meeting at noon', 'the reply nobody else may read'] as const;

describe('edge-agent doctor --bundle', () => {
  test('has what support needs, and no secrets, texts or addresses', async (context) => {
    const world = await worldWithTraffic(context);
    const { stdout } = await world.cli('doctor', '--bundle', 'for-support.tar.gz');
    expect(stdout).toContain(join(world.directory, 'for-support.tar.gz'));
    expect(statSync(join(world.directory, 'for-support.tar.gz')).mode & 0o777).toBe(0o600);
    const files = await unpacked(world, 'for-support.tar.gz');
    expect([...files.keys()].toSorted()).toEqual(
      [
        ...['chatdb.json', 'config.json', 'doctor.json', 'edge-agent.log', 'edge-agent.plist', 'files.json'],
        ...['index.json', 'launchctl.txt', 'launchd.err.log', 'pmset.txt', 'selftest.json', 'status.json'],
        ...['store.json', 'versions.json'],
      ].toSorted(),
    );
    const digits = (handle: string) => handle.replace(/\D/g, '');
    const forbidden = [SECRET, ...TEXTS, digits(PERSON), digits(OWN), '555-7788', 'foe@', world.directory];
    for (const [name, text] of files) {
      for (const word of forbidden) expect(text.includes(word), `${word} in ${name}`).toBe(false);
    }
    expect(files.get('edge-agent.log')).toMatch(/\[INFO\] edge-agent \S+ started/);
    expect(files.get('edge-agent.log')).not.toContain('[DEBUG]');
    expect(JSON.parse(files.get('chatdb.json') ?? '')).toMatchObject({
      tables: expect.arrayContaining([
        expect.objectContaining({ name: 'message', rows_at_most: expect.any(Number) }),
      ]),
    });
    expect(JSON.parse(files.get('status.json') ?? '')).toMatchObject({ kind: 'up' });
  });

  test('a collector that fails leaves its error and affects no other', async (context) => {
    const world = await EdgeWorld.open(context, { withoutMessages: true });
    const { stdout } = await world.cli('doctor', '--bundle', 'b.tar.gz');
    expect(stdout).toMatch(/could not be collected: .*chatdb\.json/);
    const files = await unpacked(world, 'b.tar.gz');
    expect(files.get('chatdb.json')).toMatch(/could not be collected: /);
    expect(JSON.parse(files.get('index.json') ?? '')).toMatchObject({
      schema: 1,
      files: expect.arrayContaining([
        { name: 'chatdb.json', error: expect.any(String) },
        { name: 'doctor.json' },
      ]),
    });
  });

  test('a broken configuration still has its log and its secret kept out', async (context) => {
    const world = await EdgeWorld.open(context);
    const agent = await world.start();
    await agent.kill('SIGTERM');
    world.writeConfig({ 'edge.user_phone': SECRET });
    expect((await world.cli('doctor', '--bundle', 'b.tar.gz')).exitCode).toBe(1);
    const files = await unpacked(world, 'b.tar.gz');
    expect(files.get('edge-agent.log')).toMatch(/\[INFO\] edge-agent \S+ started/);
    for (const [name, text] of files) expect(text.includes(SECRET), name).toBe(false);
  });

  test('never overwrites, and makes a name where none is given', async (context) => {
    const world = await EdgeWorld.open(context);
    writeFileSync(join(world.directory, 'mine.tar.gz'), 'mine');
    const refused = await world.cli('doctor', '--bundle', 'mine.tar.gz');
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('there is already a file of that name'),
    });
    expect(readFileSync(join(world.directory, 'mine.tar.gz'), 'utf8')).toBe('mine');
    const { stdout, stderr } = await world.cli('doctor', '--json', '--bundle');
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1 });
    expect(stderr).toMatch(/edge-agent-bundle-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.tar\.gz/);
  });
});
