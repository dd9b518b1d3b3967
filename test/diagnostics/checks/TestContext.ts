import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config/loadConfig.js';
import type { AgentView, Check, CheckContext } from '../../../src/diagnostics/checks/check.js';
import { concealer } from '../../../src/diagnostics/checks/concealer.js';
import { type Report, runChecks } from '../../../src/diagnostics/checks/runChecks.js';
import { selftestChecks } from '../../../src/diagnostics/selftest/selftestChecks.js';
import { wakeGap } from '../../../src/diagnostics/selftest/timing.js';
import { behave } from '../../../src/kit/messages/osascriptBehaviour.js';
import { SimulatedMac } from '../../../src/kit/messages/SimulatedMac.js';
import { type Database, openDatabase } from '../../../src/store/sqlite.js';
import { type Clock, systemClock } from '../../../src/system/clock.js';
import { type MachO, readMachO } from '../../../src/system/machO.js';
import { programs } from '../../../src/system/programs.js';
import { type MachOParts, thinMachO } from '../../support/buildMachO.js';
import { StandIns } from '../../support/StandIns.js';
import { until } from '../../support/until.js';

export const OWN = '+13105550100';
export const VERSION = '0.1.0';
export const SECRET = 'selftest-secret-51c3';
const PERSON = '+13105551234';

/** As osascript ends with an error of a script: osascript(1). */
const TELLS_NUMBER = `echo '0:32: execution error: edge-agent (-1728)' >&2; exit 1`;

/** A healthy Mac: a chat.db, and stand-ins for every program that is started. */
export class TestContext {
  readonly standIns = new StandIns();
  readonly homeDir = join(this.standIns.directory, 'home');
  readonly state = join(this.standIns.directory, 'state');
  readonly mac = new SimulatedMac(this.standIns.directory);
  readonly nodePath = this.standIns.write('node', 'exit 0');
  /** What macOS sees in the program that launchd starts. */
  runtime: MachOParts = { signature: { identifier: 'edge-agent' } };
  settings: NodeJS.ProcessEnv = {};
  changes: Partial<CheckContext> = {};
  /** How late the timers of this Mac are, ms, for the check that watches them. */
  timersLate = 0;

  constructor() {
    onTestFinished(() => this.mac.close());
    mkdirSync(this.homeDir);
    mkdirSync(this.state, { mode: 0o700 });
    this.mac.chatDb.receive({ text: 'hello', from: PERSON, chat: this.mac.chatDb.directChat(PERSON) });
    this.mac.chatDb.directChat(OWN);
    this.program('sw_vers', 'echo 15.5');
    this.program('pmset', "echo ' sleep                0'");
    this.program('pgrep', 'echo 4711');
    this.osascript({ accounts: 'iMessage,true,connected\nSMS,true,connected' });
    this.permission(2);
    this.launchAgent(this.nodePath);
  }

  program(name: string, body: string): void {
    this.standIns.write(name, body);
  }

  /** osascript: `-e` scripts are answered here, what sends goes to the simulated one. */
  osascript({ accounts = '', start = 'exit 0', fails = TELLS_NUMBER }): void {
    const answer = `case "$2" in *accounts*) printf '%s\\n' '${accounts}'; exit 0;; error*) ${fails};; *) ${start};; esac`;
    this.standIns.write(
      'osascript-any',
      `if [ "$1" = -e ]; then ${answer}; fi\nexec '${this.mac.osascriptPath}' "$@"`,
    );
  }

  /** What TCC.db notes for the node binary, or another client; null: nothing. */
  permission(value: number | null, client = this.nodePath): void {
    const directory = join(this.homeDir, 'Library', 'Application Support', 'com.apple.TCC');
    mkdirSync(directory, { recursive: true });
    const database = openDatabase(join(directory, 'TCC.db'));
    database.exec(
      `CREATE TABLE IF NOT EXISTS access (service TEXT, client TEXT, client_type INTEGER, auth_value INTEGER,
       indirect_object_identifier TEXT); DELETE FROM access`,
    );
    if (value !== null) {
      database
        .prepare("INSERT INTO access VALUES ('kTCCServiceAppleEvents', ?, 1, ?, 'com.apple.MobileSMS')")
        .run(client, value);
    }
    database.close();
  }

  launchAgent(program: string): void {
    const directory = join(this.homeDir, 'Library', 'LaunchAgents');
    mkdirSync(directory, { recursive: true });
    const plist = `<plist><dict><key>ProgramArguments</key>\n<array>\n<string>${program}</string></array></dict></plist>`;
    writeFileSync(join(directory, 'edge-agent.plist'), plist);
  }

  /** Changes chat.db behind the back of its writer. */
  alter(change: (database: Database) => void): void {
    const database = openDatabase(this.mac.chatDbPath);
    try {
      change(database);
    } finally {
      database.close();
    }
  }

  /** Puts something into the state directory that others can read. */
  openFile(): void {
    const path = join(this.state, 'edge-agent.log');
    writeFileSync(path, '');
    chmodSync(path, 0o644);
  }

  /** The text to ourselves is delivered at once and comes back. */
  async deliver(): Promise<void> {
    behave(this.mac.osascriptDirectory, { kind: 'ok', row: { kind: 'delivered' } });
    await until(
      () => this.mac.sent().length === 1,
      () => 'the text',
    );
    const text = this.mac.sent()[0]?.text ?? '';
    this.mac.chatDb.receive({ text, from: OWN, chat: this.mac.chatDb.directChat(OWN) });
  }

  context(): CheckContext {
    const env = {
      USER_PHONE: OWN,
      BACKEND_URL: 'http://127.0.0.1:1',
      EDGE_SECRET: SECRET,
      EDGE_STATE_DIRECTORY: this.state,
      EDGE_IMESSAGE_DB_PATH: this.mac.chatDbPath,
      EDGE_IMESSAGE_OSASCRIPT_PATH: this.standIns.path('osascript-any'),
      ...this.settings,
    };
    const { homeDir } = this;
    // What no test has written a part for is there, at least.
    const played = Object.entries(programs()).map(([name, path]) => {
      const part = path.replace(/.*\//, '');
      return [name, this.standIns.has(part) ? this.standIns.path(part) : process.execPath];
    });
    const down: AgentView = { kind: 'down' };
    return {
      platform: 'darwin',
      homeDir,
      env: { PATH: process.env.PATH, ...env },
      node: { path: this.nodePath, version: 'v22.21.0' },
      programs: programs(Object.fromEntries(played)),
      inspect: () => this.inspected(),
      processor: 'Intel(R) Core(TM) i7',
      clock: systemClock,
      config: {
        kind: 'loaded',
        loaded: loadConfig({ env, cwd: homeDir, homeDir, platform: 'darwin' }),
      },
      agent: down,
      askAgent: async () => ({ kind: 'notRunning' }),
      send: false,
      confirm: async () => true,
      ...this.changes,
    };
  }

  private inspected(): MachO {
    const path = this.standIns.path('program.macho');
    writeFileSync(path, thinMachO(this.runtime));
    return readMachO(path);
  }

  /** Runs the checks of the selftest that have these ids; all if none is named. */
  run(...ids: readonly string[]): Promise<Report> {
    const checks = selftestChecks().map((check) =>
      check.id === wakeGap.id && check.withoutConfig === true
        ? {
            ...check,
            run: (context: CheckContext) => check.run({ ...context, clock: lateBy(this.timersLate) }),
          }
        : check,
    );
    return this.examine(checks, ...ids);
  }

  /** Runs those of the checks that have these ids; all if none is named. */
  examine(all: readonly Check[], ...ids: readonly string[]): Promise<Report> {
    const checks = all.filter(({ id }) => ids.length === 0 || ids.includes(id));
    const conceal = concealer([SECRET], this.homeDir);
    return runChecks({ context: this.context(), version: VERSION, conceal, checks });
  }
}

/** A clock whose timers take no time, and are so late by its own account. */
function lateBy(ms: number): Clock {
  let elapsed = 0;
  return {
    now: () => elapsed,
    monotonic: () => elapsed,
    after: (wait, run) => {
      elapsed += wait + ms;
      return systemClock.after(0, run);
    },
  };
}
