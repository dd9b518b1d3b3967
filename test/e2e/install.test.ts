import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type AutomationNote,
  dialogsRaised,
  noteAutomation,
} from '../../src/kit/messages/automationDialog.js';
import { EdgeWorld, PERSON, SECRET } from '../support/EdgeWorld.js';
import { FakeKeychain } from '../support/FakeKeychain.js';
import { MacWorld } from '../support/MacWorld.js';
import { runCli } from '../support/runCli.js';
import { sized } from '../support/size.js';
import { until } from '../support/until.js';

const LONGEST_MS = 120_000;

describe('the installed agent', { concurrent: true }, () => {
  test('runs from its installation over upgrade, rollback, restart and stop to its removal', async (context) => {
    const world = await MacWorld.open(context);
    const installed = await world.cli('install');
    expect(installed).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^Copying the program/) });
    expect(installed.stdout).toContain(`Full Disk Access → + → ⇧⌘G → ${world.places.app}`);
    const first = await world.status();
    expect(first.pid).toBe(world.launchd.job()?.pid);
    expect(installed.stdout).toContain(`It runs as process ${first.pid}`);
    await world.edge.acked(world.edge.command('from the installed one'));
    const note = join(world.places.current, 'has-run');
    rmSync(note);
    world.launchd.job()?.kill('SIGKILL');
    await until(
      () => existsSync(note),
      () => 'the agent to note that it runs, whoever started it',
    );

    const plist = readFileSync(world.places.plist, 'utf8');
    expect(plist).not.toMatch(/@[A-Z]+@|<!--/);
    expect(plist).not.toContain(SECRET);
    const { ino } = statSync(world.places.executable);
    const upgraded = await world.cli('install');
    expect(upgraded.exitCode).toBe(0);
    expect(upgraded.stderr).toMatch(/Switching from \S+-1 to \S+-2/);
    expect(upgraded.stdout).not.toContain('Full Disk Access');
    expect(statSync(world.places.executable).ino).toBe(ino);
    const second = await world.status();
    expect(second.pid).not.toBe(first.pid);
    expect(statSync(join(world.places.current, 'package.json')).isFile()).toBe(true);

    expect(await world.cli('rollback')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/Back at \S+-1/),
    });
    await world.edge.acked(world.edge.command('from the older one'));
    expect(await world.cli('restart')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Restarted.'),
    });
    expect(await world.cli('stop')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Stopped'),
    });
    for (const [verb, ...args] of [['status'], ['send', PERSON, 'hi']] as const) {
      expect(await world.cli(verb, ...args)).toMatchObject({
        exitCode: 3,
        stderr: expect.stringMatching(/\nStart it: edge-agent start\n$/),
      });
    }
    for (const verb of ['pause', 'resume']) {
      expect(await world.cli(verb)).toMatchObject({
        exitCode: 0,
        stderr: expect.stringContaining('No agent is running; its store was used'),
      });
    }
    expect((await world.cli('doctor')).stdout).toMatch(
      /launchd .*edge-agent stop\n *→ Run: edge-agent start/,
    );
    expect(await world.cli('start')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Started.'),
    });
    await world.edge.acked(world.edge.command('once more'));

    const removed = await world.cli('uninstall');
    expect(removed).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Configuration, state and logs stay'),
    });
    expect(existsSync(world.places.root)).toBe(false);
    expect(existsSync(world.places.plist)).toBe(false);
    expect(existsSync(world.edge.configPath)).toBe(true);
    expect((await world.cli('status')).exitCode).toBe(3);
    expect(world.edge.log().join('\n')).not.toContain(SECRET);
  });

  test('shows at the end of its installation whether it may send: a dialog waits, it is denied, or nothing where it may', async (context) => {
    const world = await MacWorld.open(context);
    const directory = world.edge.mac.osascriptDirectory;
    const installedWith = async (note: AutomationNote) => {
      noteAutomation(directory, note);
      const { stdout, exitCode } = await world.cli('install');
      expect(exitCode).toBe(0);
      return stdout;
    };
    expect(await installedWith('undecided')).toMatch(
      /and is degraded\.\n {2}✗ A dialog on the screen of this Mac asks .* Texts wait for the answer\.\n {4}→ Click OK/,
    );
    await until(
      () => dialogsRaised(directory) === 1,
      () => 'the dialog',
    );
    expect((await world.status()).problems.map(({ code }) => code)).toEqual(['automation_pending']);
    const restarted = await world.cli('restart', '--json');
    expect(JSON.parse(restarted.stdout)).toMatchObject({
      state: 'degraded',
      problems: [{ code: 'automation_pending' }],
    });
    expect(await installedWith('denied')).toMatch(
      /and is degraded\.\n {2}✗ macOS does not let the agent control Messages\.\n {4}→ System Settings/,
    );
    expect(await installedWith('granted')).not.toContain('✗');
  });

  test('says what prevents its app, and reports and repairs an app that was changed', async (context) => {
    const world = await MacWorld.open(context);
    world.launchd.codesign.refusal = 'noTools';
    const refused = await world.cli('install');
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('xcode-select --install') });
    expect(existsSync(world.places.plist)).toBe(false);
    world.launchd.codesign.refusal = undefined;
    expect(await world.cli('install')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Edge Agent.app'),
    });
    const doctor = async () => (await world.cli('doctor')).stdout.match(/^.*runtime-signature.*$/m)?.[0];
    expect(await doctor()).toMatch(/signed ad hoc, and unchanged since/);
    writeFileSync(join(world.places.app, 'Contents', 'more'), 'of somebody');
    expect(await doctor()).toMatch(/was changed after it had been signed/);
    const { pid } = await world.status();
    expect(await world.cli('install')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('the existing one was changed'),
    });
    expect(await doctor()).toMatch(/unchanged since/);
    expect((await world.status()).pid).not.toBe(pid);
    expect(await world.cli('install', '--runtime', 'current', '--node')).toMatchObject({ exitCode: 2 });
  });

  test('that was installed before there is a configuration says how to make it', async (context) => {
    const world = await MacWorld.open(context);
    const { stdout } = await runCli(
      ['install', '--runtime', 'current'],
      { ...world.place, cwd: world.edge.shared },
      LONGEST_MS,
    );
    expect(stdout).toMatch(
      /There is no configuration file at \S.*config\.yaml\.\n {4}→ Create it: edge-agent setup\n/,
    );
  });

  test('waits with a broken configuration, lists its mistakes, and runs once they are fixed', async (context) => {
    const world = await MacWorld.open(context);
    const good = readFileSync(world.edge.configPath, 'utf8');
    writeFileSync(world.edge.configPath, good.replace('"+13105550100"', '"nobody"'));
    const { exitCode, stdout } = await world.cli('install', '--runtime', 'current');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('and is degraded');
    expect(stdout).toContain('edge.user_phone');
    // Queried while it waits: between waiting and running there is a moment without an answer.
    const { pid } = await world.status();
    writeFileSync(world.edge.configPath, good);
    await world.edge.backend.until(() => world.edge.backend.journal.connects.length > 0);
    await world.edge.acked(world.edge.command('mended'));
    expect((await world.status()).pid).toBe(pid);
    expect(world.launchd.job()?.runs).toBe(1);
  });
});

describe('uninstall --purge', { concurrent: true }, () => {
  test('asks first, and is refused where no one can answer', async (context) => {
    const world = await MacWorld.open(context);
    const { exitCode, stderr } = await world.cli('uninstall', '--purge');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('edge-agent uninstall --purge --yes');
    expect(existsSync(world.edge.configPath)).toBe(true);
  });

  test('continues where the .env cannot be read, and says that the Keychain was not checked', async (context) => {
    const world = await MacWorld.open(context);
    writeFileSync(world.edge.envPath, Buffer.from([0xff, 0xfe]));
    const { exitCode, stdout } = await world.cli('uninstall', '--purge', '--yes');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Whether a secret is in the Keychain is not known');
    for (const path of [world.edge.configPath, world.edge.envPath]) expect(existsSync(path)).toBe(false);
  });

  test('lists and removes configuration, secrets, state and logs, and nothing else', async (context) => {
    const world = await MacWorld.open(context);
    const daemon = await world.edge.start();
    await daemon.kill('SIGTERM');
    const { configPath, envPath, logPath, state } = world.edge;
    const mine = ['notes.txt', 'edge-agent.log.bak'].map((name) => join(state, name));
    const myCopy = `${configPath}.bak-mine`;
    writeFileSync(myCopy, 'of somebody');
    expect(readdirSync(join(world.edge.directory, '.edge-agent')).length).toBeGreaterThan(0);
    const leftOver = [
      `${configPath}.bak-20261130T173805Z`,
      `${configPath}.bak-20261130T173805Z-2`,
      `${configPath}.draft`,
      `${configPath}.draft.1`,
      `${configPath}.new`,
      `${envPath}.new`,
      `${logPath}.1`,
      `${logPath}.rotating`,
      join(dirname(configPath), 'edge-agent.schema.json'),
    ];
    for (const path of [...mine, ...leftOver]) writeFileSync(path, 'of somebody');
    mkdirSync(join(state, 'handover', 'a'), { recursive: true });
    const { exitCode, stdout } = await world.cli('uninstall', '--purge', '--yes');
    expect(exitCode).toBe(0);
    for (const name of ['edge-agent.db', 'edge-agent.log', 'agent.lock', 'applescript']) {
      expect(stdout).toContain(join(world.edge.state, name));
    }
    expect(readdirSync(state).toSorted()).toEqual(mine.map((path) => basename(path)).toSorted());
    expect(leftOver.filter((path) => existsSync(path))).toEqual([]);
    expect(existsSync(myCopy)).toBe(true);
    expect(existsSync(join(world.edge.directory, '.edge-agent'))).toBe(false);
    for (const path of [world.edge.configPath, world.edge.envPath]) expect(existsSync(path)).toBe(false);
  });

  test('leaves nothing that makes the next agent repeat a text whose ack the backend lacks: chat.db proves it', async (context) => {
    const world = await MacWorld.open(context);
    const { edge } = world;
    const daemon = await edge.start();
    edge.behave({ kind: 'hang', when: 'after' });
    const id = edge.command('once');
    await edge.inChatDb(1);
    await daemon.kill('SIGKILL');
    expect((await world.cli('uninstall', '--purge', '--yes')).exitCode).toBe(0);
    expect(existsSync(join(edge.directory, '.edge-agent'))).toBe(false);
    expect(existsSync(edge.state)).toBe(false);
    edge.writeConfig({});
    edge.writeSecret(SECRET);
    await edge.start();
    await edge.acked(id);
    await edge.acked(edge.command('another'));
    expect(edge.texts).toEqual(['once', 'another']);
  });

  test.for([
    ['removes the secret that .env has in the Keychain', false],
    ['says how to remove it from a Keychain that is locked', true],
  ] as const)('%s', async ([, isLocked], context) => {
    const world = await MacWorld.open(context);
    const keychain = new FakeKeychain(world.launchd.directory);
    keychain.put('a secret');
    if (isLocked) keychain.lock();
    writeFileSync(world.edge.envPath, "EDGE_SECRET='keychain:EDGE_SECRET-1a2b3c4d'\n", { mode: 0o600 });
    const { exitCode, stdout } = await world.cli('uninstall', '--purge', '--yes');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('  in the Keychain: edge-agent, EDGE_SECRET-1a2b3c4d\n');
    const command = 'security delete-generic-password -s edge-agent -a EDGE_SECRET-1a2b3c4d';
    if (isLocked)
      expect(stdout).toContain(`it is locked; over SSH: security unlock-keychain. To remove it: ${command}`);
    else expect(keychain.secret).toBeUndefined();
  });

  test('removes nothing while an agent runs that is no service', async (context) => {
    const world = await MacWorld.open(context);
    const daemon = await world.edge.start();
    const { exitCode, stderr } = await world.cli('uninstall', '--purge', '--yes');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('Another edge-agent is running');
    for (const path of [world.edge.configPath, world.edge.logPath]) expect(existsSync(path)).toBe(true);
    expect((await daemon.status()).snapshot?.pid).toBe(daemon.pid);
  });
});

describe('the verbs of the service', { concurrent: true }, () => {
  const VERBS = ['install', 'uninstall', 'start', 'stop', 'restart', 'rollback'];

  test.skipIf(process.platform === 'darwin').for(sized(['install'], VERBS))(
    'say clearly that %s is for macOS only',
    async (verb, context) => {
      const world = await EdgeWorld.open(context);
      const { exitCode, stdout, stderr } = await runCli([verb], world.place);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toMatch(/^edge-agent: This verb works on macOS only/);
    },
  );

  test.for(sized(['start'], ['start', 'stop', 'restart', 'rollback']))(
    'say that nothing is installed: %s',
    async (verb, context) => {
      const world = await MacWorld.open(context);
      const { exitCode, stderr } = await world.cli(verb);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('edge-agent install');
    },
  );

  test('say with exit 5 that there is no desktop session, and what to do', async (context) => {
    const world = await MacWorld.open(context);
    world.launchd.hasSession = false;
    const { exitCode, stderr } = await world.cli('install');
    expect(exitCode).toBe(5);
    expect(stderr).toContain('Log in to the desktop as this user');
    expect(existsSync(world.places.root)).toBe(false);
  });

  test.skipIf(process.getuid?.() !== 0)(
    'are refused in the home of another user, as sudo -u has it, before anything is written there',
    async (context) => {
      const world = await MacWorld.open(context);
      chownSync(world.edge.directory, 65_534, 65_534);
      for (const verb of VERBS) {
        const { exitCode, stderr } = await world.cli(verb);
        expect({ exitCode, stderr }).toEqual({
          exitCode: 5,
          stderr: expect.stringMatching(/belongs to another user.*\nLog in as the user who runs the agent/),
        });
      }
      expect(existsSync(world.places.root)).toBe(false);
    },
  );

  test('refuse a runtime that does not exist', async (context) => {
    const world = await MacWorld.open(context);
    const { exitCode, stderr } = await world.cli('install', '--runtime', 'shared');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('private, current');
  });
});
