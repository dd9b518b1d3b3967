import { readdirSync, readFileSync, statSync } from 'node:fs';
import { arch, release } from 'node:os';
import { dirname, join } from 'node:path';
import { loggableUrl } from '../../config/backendUrls.js';
import { SETTINGS_BY_KEY } from '../../config/settings.js';
import { describeError } from '../../errors.js';
import { maskHandle } from '../../logging/mask.js';
import { openToLook } from '../../store/lookIntoStore.js';
import { type Database, openDatabase } from '../../store/sqlite.js';
import { runProgram } from '../../system/runProgram.js';
import type { CheckContext } from '../checks/check.js';
import { readLaunchAgent } from '../checks/launchAgent.js';
import { logFileInForce } from '../checks/logFileInForce.js';
import type { Report } from '../checks/runChecks.js';
import type { Collector } from './bundle.js';
import { loggedLines, tail } from './logTail.js';

interface CollectorOptions {
  readonly context: CheckContext;
  /** Undefined if not even that is known. */
  readonly stateDirectory: string | undefined;
  readonly report: Report;
  readonly version: string;
  /** Every setting in force, as `config show` has it. */
  readonly settings: () => Promise<readonly Setting[]>;
}

interface Setting {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
}

const PROGRAM_MS = 10_000;
const LOG_LINES = 1_000;
const LAUNCHD_LINES = 100;
/** Settings that name people, in whatever spelling. */
const NAMES_PEOPLE = new Set([
  'edge.user_address',
  'edge.user_phone',
  'edge.apple_id',
  'edge.agent_id',
  'edge.own_addresses',
  'forward.allow',
  'forward.ignore',
]);

/** Everything that support may want to see: no texts, no handles, no secrets. */
export function collectors(options: CollectorOptions): readonly Collector[] {
  const { context, report, version, settings } = options;
  const inState = (name: string) => join(stateOf(options), name);
  const logFile = async () =>
    (await logFileInForce(context.askAgent)) ?? loaded(context)?.logging.file ?? inState('edge-agent.log');
  return [
    { name: 'doctor.json', collect: () => json(report) },
    { name: 'status.json', collect: () => json(context.agent) },
    { name: 'config.json', collect: async () => json((await settings()).map(withoutPeople)) },
    { name: 'versions.json', collect: () => versions(context, version) },
    { name: 'edge-agent.log', collect: async () => loggedLines(tail(await logFile()), LOG_LINES) },
    { name: 'launchd.err.log', collect: () => lastLines(inState('launchd.err.log')) },
    { name: 'edge-agent.plist', collect: () => readLaunchAgent(context.homeDir)?.text ?? 'There is none.\n' },
    {
      name: 'launchctl.txt',
      collect: () =>
        printed(context, context.programs.launchctl, ['print', `gui/${process.getuid?.()}/edge-agent`]),
    },
    { name: 'pmset.txt', collect: () => printed(context, context.programs.pmset, ['-g']) },
    {
      name: 'chatdb.json',
      collect: () => databaseFacts(chatDbOf(context), (path) => openDatabase(path, { readonly: true })),
    },
    { name: 'store.json', collect: () => databaseFacts(inState('edge-agent.db'), openToLook) },
    { name: 'files.json', collect: async () => files([stateOf(options), dirname(await logFile())]) },
    { name: 'selftest.json', collect: () => readFileSync(inState('selftest.json'), 'utf8') },
  ];
}

function withoutPeople(setting: Setting): Setting {
  const { key, value } = setting;
  if (typeof value === 'string' && (key.endsWith('url') || key === 'backend.proxy'))
    return { ...setting, value: sharedUrl(key, value) };
  if (!NAMES_PEOPLE.has(key)) return setting;
  if (Array.isArray(value)) return { ...setting, value: value.map((entry) => maskHandle(String(entry))) };
  return { ...setting, value: typeof value === 'string' ? maskHandle(value.replace(/^edge_/, '')) : value };
}

/** Services that take heartbeats or alerts have their key in the path. */
function sharedUrl(key: string, url: string): string {
  if (SETTINGS_BY_KEY.get(key)?.secretPath === true && URL.canParse(url))
    return `${new URL(url).origin}/[secret]`;
  return loggableUrl(url);
}

async function versions(context: CheckContext, version: string): Promise<string> {
  const macos = await printed(context, context.programs.swVers, ['-productVersion']).catch(describeError);
  const { node, platform } = context;
  return json({
    edge_agent: version,
    node,
    libraries: process.versions,
    platform,
    arch: arch(),
    kernel: release(),
    macos: macos.trim(),
  });
}

async function printed({ env, clock }: CheckContext, path: string, args: readonly string[]): Promise<string> {
  const end = await runProgram(path, args, { env, clock, timeoutMs: PROGRAM_MS });
  if (end.kind === 'notStarted') throw new Error(end.message);
  if (end.kind === 'timedOut') throw new Error(`${path} did not end in time`);
  if (end.code !== 0) throw new Error(`${path} ended with ${end.code ?? 'a signal'}`);
  return end.stdout;
}

/** Names of tables and columns, and how far their row ids go; nothing of what is in them. */
function databaseFacts(path: string, open: (path: string) => Database): string {
  const database = open(path);
  try {
    const names = database
      .prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
      )
      .pluck()
      .all() as string[];
    const tables = names.map((name) => {
      const quoted = `"${name.replaceAll('"', '""')}"`;
      const columns = (database.pragma(`table_info(${quoted})`) as { name: string }[]).map(
        (column) => column.name,
      );
      return { name, columns, rows_at_most: rowsOf(database, quoted) };
    });
    const pragma = (name: string) => database.pragma(name, { simple: true });
    return json({
      bytes: ['', '-wal', '-shm'].map(
        (suffix) => statSync(path + suffix, { throwIfNoEntry: false })?.size ?? null,
      ),
      journal_mode: pragma('journal_mode'),
      user_version: pragma('user_version'),
      tables,
    });
  } finally {
    database.close();
  }
}

/** The highest row id: counting a million rows takes seconds. */
function rowsOf(database: ReturnType<typeof openDatabase>, table: string): unknown {
  try {
    return database.prepare(`SELECT max(rowid) FROM ${table}`).pluck().get();
  } catch {
    // A table without row ids, or one that needs an extension of Apple's: then its columns must do.
    return null;
  }
}

function files(directories: readonly string[]): string {
  const seen = [...new Set(directories)].flatMap((directory) =>
    readdirSync(directory).map((name) => {
      const path = join(directory, name);
      const stats = statSync(path, { throwIfNoEntry: false });
      const mode = stats === undefined ? null : (stats.mode & 0o7777).toString(8);
      return { path, bytes: stats?.size ?? null, mode, changed_at: stats?.mtime.toISOString() ?? null };
    }),
  );
  return json(seen);
}

function lastLines(path: string): string {
  return `${tail(path).split('\n').slice(-LAUNCHD_LINES).join('\n')}\n`;
}

function loaded({ config }: CheckContext) {
  return config.kind === 'loaded' ? config.loaded.config : undefined;
}

function chatDbOf(context: CheckContext): string {
  return loaded(context)?.imessage.db_path ?? join(context.homeDir, 'Library', 'Messages', 'chat.db');
}

function stateOf({ stateDirectory }: CollectorOptions): string {
  if (stateDirectory === undefined) throw new Error('the configuration does not name the state directory');
  return stateDirectory;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
