import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, type TestContext, test } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { EdgeWorld, SECRET as WORLD_SECRET } from '../support/EdgeWorld.js';
import { FakeKeychain } from '../support/FakeKeychain.js';
import { PtySession } from '../support/PtySession.js';
import { CLI, type Place } from '../support/program.js';
import { type CliResult, cleanEnvironment, runCli } from '../support/runCli.js';
import { sized } from '../support/size.js';
import { until } from '../support/until.js';

const SECRET = `set-up 's $ecret" 7c1f`;
const URL_QUESTION = 'The URL of the backend:';
const PHONE_QUESTION = 'The number that this Mac sends from';
const SECRET_QUESTION = 'The secret shared with the backend';
const KEYCHAIN_QUESTION = 'Keep it in the Keychain instead of .env?';
const BACKEND = 'http://127.0.0.1:9';

/** A home on a machine that plays a Mac, where nothing was ever set up. */
class NewHome {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'edge-setup-')));
  readonly programs = join(this.directory, 'programs');
  readonly place: Place;
  readonly support = join(this.directory, 'home', 'Library', 'Application Support', 'edge-agent');
  readonly config = join(this.support, 'config.yaml');
  readonly env = join(this.support, '.env');

  constructor(private readonly context: TestContext) {
    mkdirSync(join(this.directory, 'home'));
    mkdirSync(this.programs);
    const STAND_IN_PROGRAMS = this.programs;
    this.place = {
      cwd: this.directory,
      env: cleanEnvironment(join(this.directory, 'home'), { STAND_IN_PROGRAMS }),
    };
    context.onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** `setup` in a terminal. */
  open(...args: string[]): PtySession {
    const session = PtySession.open(['setup', ...args], this.place);
    this.context.onTestFinished(() => session.dispose());
    return session;
  }

  /** All that it asks before it writes is answered. */
  async answered(script: string): Promise<PtySession> {
    const session = PtySession.open([], this.place, script);
    this.context.onTestFinished(() => session.dispose());
    const answers = [BACKEND, '+13105550100', SECRET, ''];
    for (const [index, question] of [
      URL_QUESTION,
      PHONE_QUESTION,
      SECRET_QUESTION,
      KEYCHAIN_QUESTION,
    ].entries()) {
      await session.sees(question);
      session.enter(answers[index]);
    }
    return session;
  }

  run(...args: string[]): Promise<CliResult> {
    return runCli(['setup', ...args], this.place);
  }

  secretFile(): string {
    const path = join(this.directory, 'secret');
    writeFileSync(path, `${SECRET}\n`, { mode: 0o600 });
    return path;
  }

  /** Something that was set up before, which must not change. */
  settled(): { config: string; env: string } {
    mkdirSync(this.support, { recursive: true, mode: 0o700 });
    const before = {
      config: `edge: { user_phone: "+13105550111" }\nbackend: { url: "${BACKEND}" }\n`,
      env: '# mine\nEDGE_SECRET=old\nBACKEND_WS_URL=\n',
    };
    writeFileSync(this.config, before.config, { mode: 0o600 });
    writeFileSync(this.env, before.env, { mode: 0o600 });
    return before;
  }

  now(): { config: string; env: string } {
    return { config: readFileSync(this.config, 'utf8'), env: readFileSync(this.env, 'utf8') };
  }

  load() {
    return loadConfig({ env: {}, cwd: '/', homeDir: join(this.directory, 'home'), platform: 'darwin' });
  }

  /** Everything below the home. */
  files(): string[] {
    return readdirSync(join(this.directory, 'home'), { recursive: true, encoding: 'utf8' });
  }
}

const INSTALL_QUESTION = 'Install it now, so that it starts at each login?';

async function declineToInstall(session: PtySession): Promise<void> {
  await session.sees(INSTALL_QUESTION);
  session.enter('n');
}

const flags = (home: NewHome) => [
  '--yes',
  '--backend-url',
  BACKEND,
  '--phone',
  '+1 (310) 555-0100',
  '--secret-file',
  home.secretFile(),
];

describe('edge-agent setup at a terminal', () => {
  test('asks, shows what is wrong, writes only complete files, and never shows the secret', async (context) => {
    const home = new NewHome(context);
    const session = home.open();
    await session.sees(URL_QUESTION);
    session.enter('http://backend.example.com');
    await session.sees('secrets would be sent in plain text');
    session.type('\u0015');
    session.enter(BACKEND);
    await session.sees(PHONE_QUESTION);
    session.enter('310');
    await session.sees('Expected a phone number in E.164 form');
    session.type('\u0015');
    session.enter('+1 310 555-0100');
    await session.sees(SECRET_QUESTION);
    expect(home.files()).toEqual([]);
    session.enter(SECRET);
    await session.sees(KEYCHAIN_QUESTION);
    expect(home.files()).toEqual([]);
    session.enter();
    await session.sees('What doctor finds:');
    await declineToInstall(session);
    await session.sees('When you are ready: edge-agent install');
    expect(await session.exits()).toBe(0);
    expect(session.shown).not.toContain(SECRET);
    expect(session.shown).toMatch(/PASS\s+config/);
    const { config, secrets, warnings } = home.load();
    expect(config.edge.user_phone).toBe('+13105550100');
    expect(config.backend.url).toBe(BACKEND);
    expect(secrets.edgeSecret).toBe(SECRET);
    expect(warnings).toEqual([]);
    for (const path of [home.config, home.env]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(home.support).mode & 0o777).toBe(0o700);
    expect(readdirSync(home.support).toSorted()).toEqual([
      '.env',
      'config.yaml',
      'doctor.json',
      'edge-agent.schema.json',
    ]);
    expect(home.now().config).toContain('# How often a ping is sent.');
  });

  const untouched: readonly (readonly [string, readonly string[]])[] = [
    [URL_QUESTION, []],
    [PHONE_QUESTION, [BACKEND]],
    [SECRET_QUESTION, [BACKEND, '+13105550100']],
    [KEYCHAIN_QUESTION, [BACKEND, '+13105550100', SECRET]],
  ];
  test.for(sized(untouched.slice(2), untouched))(
    'Ctrl-C at “%s” writes nothing',
    async ([question, answers], context) => {
      const home = new NewHome(context);
      const session = home.open();
      for (const [index, answer] of answers.entries()) {
        await session.sees(untouched[index]?.[0] ?? '');
        session.enter(answer);
      }
      await session.sees(question);
      session.interrupt();
      expect(await session.exits()).toBe(130);
      expect(session.shown).toContain('Nothing was written.');
      expect(home.files()).toEqual([]);
    },
  );

  test('treats Ctrl-D at a question as Ctrl-C', async (context) => {
    const home = new NewHome(context);
    const session = home.open();
    await session.sees(URL_QUESTION);
    session.type('\u0004');
    expect(await session.exits()).toBe(130);
    expect(session.shown).toContain('Nothing was written.');
  });

  test('shows nothing that a terminal without UTF-8 cannot show', async (context) => {
    const home = new NewHome(context);
    Object.assign(home.place.env, { LC_ALL: 'C' });
    const session = home.open();
    await session.sees(URL_QUESTION);
    session.enter(BACKEND);
    await session.sees(PHONE_QUESTION);
    session.interrupt();
    expect(await session.exits()).toBe(130);
    expect(session.shown).toContain(`ok ${URL_QUESTION}`);
    expect(session.shown).toMatch(/^\p{ASCII}*$/u);
  });

  const REPLACE_SECRET = '.env already. Replace it?';
  const CHANGE = 'Change this?';
  const OTHER_PHONE = '+13105550100';
  const settled: readonly (readonly [string, readonly string[]])[] = [
    [URL_QUESTION, []],
    [CHANGE, ['', OTHER_PHONE, 'y', SECRET, 'n']],
    ...sized<readonly (readonly [string, readonly string[]])[]>(
      [],
      [
        [PHONE_QUESTION, ['']],
        [REPLACE_SECRET, ['', OTHER_PHONE]],
        [SECRET_QUESTION, ['', OTHER_PHONE, 'y']],
        [KEYCHAIN_QUESTION, ['', OTHER_PHONE, 'y', SECRET]],
      ],
    ),
  ];
  test.for(settled)('Ctrl-C at “%s” leaves the files as they were', async ([question, answers], context) => {
    const home = new NewHome(context);
    const before = home.settled();
    const session = home.open();
    const questions = [URL_QUESTION, PHONE_QUESTION, REPLACE_SECRET, SECRET_QUESTION, KEYCHAIN_QUESTION];
    for (const [index, answer] of answers.entries()) {
      await session.sees(questions[index] ?? '');
      session.enter(answer);
    }
    await session.sees(question);
    session.interrupt();
    expect(await session.exits()).toBe(130);
    expect(home.now()).toEqual(before);
    expect(readdirSync(home.support).toSorted()).toEqual(['.env', 'config.yaml']);
  });

  test('offers the current values, and accepting them changes nothing', async (context) => {
    const home = new NewHome(context);
    const before = home.settled();
    const session = home.open();
    for (const question of [URL_QUESTION, PHONE_QUESTION, REPLACE_SECRET]) {
      await session.sees(question);
      session.enter();
    }
    await declineToInstall(session);
    expect(await session.exits()).toBe(0);
    expect(session.shown).toContain(BACKEND);
    expect(session.shown).not.toContain('Written:');
    expect(home.now()).toEqual(before);
  });

  test('shows what changes before it does, changes nothing else, and keeps the previous file', async (context) => {
    const home = new NewHome(context);
    const before = home.settled();
    const session = home.open();
    await session.sees(URL_QUESTION);
    session.enter();
    await session.sees(PHONE_QUESTION);
    session.enter(OTHER_PHONE);
    await session.sees(REPLACE_SECRET);
    session.enter('y');
    await session.sees(SECRET_QUESTION);
    session.enter('new');
    await session.sees(KEYCHAIN_QUESTION);
    session.enter('n');
    await session.sees(CHANGE);
    expect(session.shown).toContain('- edge.user_phone: "+13105550111"');
    expect(session.shown).toContain(`+ edge.user_phone: "${OTHER_PHONE}"`);
    expect(home.now()).toEqual(before);
    session.enter();
    await declineToInstall(session);
    expect(await session.exits()).toBe(0);
    expect(home.now()).toEqual({
      config: before.config.replace('+13105550111', OTHER_PHONE),
      env: "# mine\nEDGE_SECRET='new'\nBACKEND_WS_URL=\n",
    });
    const copies = readdirSync(home.support).filter((name) => name.startsWith('config.yaml.bak-'));
    expect(copies.map((name) => readFileSync(join(home.support, name), 'utf8'))).toEqual([before.config]);
  });
});

describe('the offer to install', () => {
  const SCRIPT = fileURLToPath(new URL('../support/setupWithInstall.mjs', import.meta.url));

  test.for([
    ['taken', '', true],
    ['declined', 'n', false],
  ] as const)('is made after doctor; %s', async ([, answer, isInstalled], context) => {
    const home = new NewHome(context);
    const session = await home.answered(SCRIPT);
    await session.sees('PASS, ');
    await session.sees(INSTALL_QUESTION);
    session.enter(answer);
    expect(await session.exits()).toBe(0);
    expect(session.shown.includes(`INSTALLED with ${home.config}`)).toBe(isInstalled);
    if (!isInstalled) expect(session.shown).toContain('When you are ready: edge-agent install');
  });

  test('Ctrl-C at it leaves a complete configuration', async (context) => {
    const home = new NewHome(context);
    const session = await home.answered(SCRIPT);
    await session.sees(INSTALL_QUESTION);
    session.interrupt();
    expect(await session.exits()).toBe(130);
    expect(session.shown).toContain('The answers so far were saved.');
    expect(session.shown).not.toContain('INSTALLED');
    expect(home.load().secrets.edgeSecret).toBe(SECRET);
  });
});

describe('the Keychain', () => {
  test('keeps the secret, of which .env has only the name; no argument of a program ever contains it', async (context) => {
    const home = new NewHome(context);
    const keychain = new FakeKeychain(home.programs);
    const { exitCode, stdout } = await home.run(...flags(home), '--keychain');
    expect(exitCode).toBe(0);
    expect(keychain.secret).toBe(SECRET);
    expect(home.now().env).toMatch(/^EDGE_SECRET='keychain:EDGE_SECRET-[0-9a-f]{8}'$/m);
    expect(stdout).toMatch(/PASS\s+secret\s+EDGE_SECRET; signs tokens/);
    const hex = Buffer.from(SECRET).toString('hex');
    for (const text of [stdout, keychain.calls, home.now().env, home.now().config]) {
      for (const form of [SECRET, hex]) expect(text).not.toContain(form);
    }
  });

  test('that is locked is reported, and nothing is written', async (context) => {
    const home = new NewHome(context);
    new FakeKeychain(home.programs).lock();
    const { exitCode, stderr } = await home.run(...flags(home), '--keychain');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('it is locked; over SSH: security unlock-keychain');
    expect(home.files()).toEqual([]);
  });

  test('supplies the secret to the agent, and when it cannot, the agent and doctor say why', async (context) => {
    const world = await EdgeWorld.open(context);
    const keychain = new FakeKeychain(world.directory);
    keychain.put(WORLD_SECRET);
    writeFileSync(world.envPath, 'EDGE_SECRET=keychain:mine\n', { mode: 0o600 });
    Object.assign(world.place.env, { STAND_IN_PROGRAMS: world.directory });
    const agent = await world.start();
    await agent.kill('SIGTERM');
    keychain.lock();
    const degraded = await world.startDegraded();
    const { snapshot } = await degraded.statusUntil((answer) => answer.snapshot !== null);
    expect(snapshot?.problems.map(({ code }) => code)).toContain('secret_missing');
    const { stdout } = await world.cli('doctor');
    expect(stdout).toMatch(/WARN\s+config .*from the Keychain \(mine\): it is locked/);
  });
});

describe('edge-agent setup --yes', () => {
  test('asks nothing, and keeps the secret out of what it prints', async (context) => {
    const home = new NewHome(context);
    const { exitCode, stdout, stderr } = await home.run(...flags(home));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).not.toContain(SECRET);
    expect(home.load().secrets.edgeSecret).toBe(SECRET);
    expect(home.load().config.edge.user_phone).toBe('+13105550100');
  });

  test('names to editors a schema that exists, and is the published one', async (context) => {
    const home = new NewHome(context);
    await home.run(...flags(home));
    const [, named = ''] = /^# yaml-language-server: \$schema=(\S+)$/m.exec(home.now().config ?? '') ?? [];
    const schema = readFileSync(join(home.support, named), 'utf8');
    expect(schema).toBe(readFileSync(new URL('../../docs/config.schema.json', import.meta.url), 'utf8'));
  });

  test('follows links: they stay, and the files behind them are replaced', async (context) => {
    const home = new NewHome(context);
    const dotfiles = join(home.directory, 'dotfiles');
    for (const directory of [dotfiles, home.support]) mkdirSync(directory, { recursive: true });
    for (const name of ['config.yaml', '.env']) {
      writeFileSync(join(dotfiles, name), '');
      symlinkSync(join(dotfiles, name), join(home.support, name));
    }
    expect((await home.run(...flags(home), '--force')).exitCode).toBe(0);
    for (const path of [home.config, home.env]) expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(dotfiles, 'config.yaml'), 'utf8')).toContain('+13105550100');
    expect(home.load().secrets.edgeSecret).toBe(SECRET);
  });

  test('changes no existing setting without --force', async (context) => {
    const home = new NewHome(context);
    const before = home.settled();
    const refused = await home.run(...flags(home));
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('--force');
    expect(home.now()).toEqual(before);
    expect((await home.run(...flags(home), '--force')).exitCode).toBe(0);
    expect(home.load().secrets.edgeSecret).toBe(SECRET);
  });

  test('reads the secret from stdin, where no process list shows it', async (context) => {
    const home = new NewHome(context);
    const args = ['setup', '--yes', '--backend-url', BACKEND, '--phone', '+13105550100', '--secret-stdin'];
    const child = spawn(process.execPath, [CLI, ...args], {
      ...home.place,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    context.onTestFinished(() => void child.kill('SIGKILL'));
    child.stdin.end(`${SECRET}\n`);
    await until(
      () => existsSync(home.config),
      () => 'config.yaml',
    );
    expect(child.spawnargs.join(' ')).not.toContain(SECRET);
    expect(home.load().secrets.edgeSecret).toBe(SECRET);
  });

  test.for([
    [['--yes'], '--backend-url and --phone'],
    [['--yes', '--backend-url', BACKEND, '--phone', '+13105550100'], '--secret-file or --secret-stdin'],
    [['--yes', '--phone', '12'], '--phone: Expected a phone number'],
    [['--yes', '--backend-url', 'ftp://x'], '--backend-url: Expected a URL'],
    [['--yes', '--secret-file', '/nowhere'], 'cannot be read'],
    [['--secret-stdin'], 'not a terminal'],
    [[], 'not a terminal'],
    [['--yes', '--secret', 'x'], "unknown option '--secret'"],
  ] as const)('%j is refused with exit 2 and writes nothing', async ([args, words], context) => {
    const home = new NewHome(context);
    const { exitCode, stdout, stderr } = await home.run(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(words);
    expect(home.files()).toEqual([]);
  });

  test('a directory that is not writable is reported, and no partial file is left', async (context) => {
    const home = new NewHome(context);
    writeFileSync(join(home.directory, 'home', 'Library'), 'a file is in the way');
    const { exitCode, stderr } = await home.run(...flags(home));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('cannot be written');
    expect(home.files()).toEqual(['Library']);
  });
});
