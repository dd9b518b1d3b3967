import { existsSync } from 'node:fs';
import { describeError } from '../../errors.js';
import { decodeAttributedBody } from '../../messages/chatdb/attributedBody.js';
import { accessProblem, probe } from '../../messages/chatdb/ChatDbConnection.js';
import { Schema, type Table } from '../../messages/chatdb/schema.js';
import { type Database, openDatabase } from '../../store/sqlite.js';
import { type Check, type ConfiguredBench, fail, type Outcome, pass, skip, warn } from './check.js';
import { agentProgram, launchdProgram } from './program.js';

const REPORT = 'Please report this with the macOS version: the agent may misread messages.';

/** Without these nothing can be forwarded or confirmed; the others are read as NULL where they are missing. */
const NEEDED: readonly (readonly [Table, readonly string[]])[] = [
  ['message', ['guid', 'text', 'attributedBody', 'handle_id', 'service', 'date', 'is_from_me', 'error']],
  ['chat', ['guid', 'chat_identifier', 'style', 'service_name']],
  ['handle', ['id']],
];
const WANTED: readonly string[] = [
  ...[
    'account',
    'is_sent',
    'is_delivered',
    'date_delivered',
    'is_read',
    'date_read',
    'is_finished',
    'is_empty',
  ],
  ...['was_downgraded', 'cache_has_attachments', 'item_type', 'associated_message_type', 'balloon_bundle_id'],
  ...['thread_originator_guid', 'destination_caller_id'],
];

export const access: Check = {
  id: 'chatdb-access',
  title: 'chat.db can be read',
  run(context) {
    const { agent } = context;
    const problem = agent.kind === 'up' ? agent.snapshot.problems.find(isOfChatDb) : undefined;
    if (problem !== undefined) return fail(`the running agent: ${problem.message}`, problem.remedy);
    const file = probe(context.config.loaded.config.imessage.db_path);
    if (agent.kind === 'up' && !file.ok && file.code === 'chatdb_not_permitted') {
      return pass('the running agent can read it; this terminal cannot');
    }
    if (isOfTerminalAlone(context) && !file.ok && file.code === 'chatdb_not_permitted') {
      return warn(
        'this terminal cannot read it; this says nothing about the agent, which is not installed yet',
        'Run: edge-agent install, which makes an app for the agent; give that app Full Disk Access.',
      );
    }
    return reading(context, (database, path) => {
      const rows = database.prepare('SELECT count(*) FROM (SELECT 1 FROM message LIMIT 1000)').pluck().get();
      const sidecars = ['-wal', '-shm'].filter((suffix) => existsSync(`${path}${suffix}`));
      const byAgent =
        agent.kind === 'up'
          ? ', by the running agent too'
          : context.platform === 'darwin'
            ? '; by this terminal: no agent runs, so it is not known whether the agent can'
            : '';
      const mode = String(database.pragma('journal_mode', { simple: true }));
      const evidence = `${rows === 1000 ? 'at least 1000' : String(rows)} rows, ${mode}, ${sidecars.length} of 2 sidecars${byAgent}`;
      return mode === 'wal' ? pass(evidence) : warn(`${evidence}: not in WAL mode`, REPORT);
    });
  },
};

export const schema: Check = {
  id: 'chatdb-schema',
  title: 'chat.db has the tables and columns that are read',
  run: (context) =>
    reading(context, (database) => {
      const found = Schema.read(database);
      const tables = found.missingTables();
      if (tables.length > 0) return fail(`no table ${tables.join(', ')}`, REPORT);
      const lacks = (table: Table, columns: readonly string[]) =>
        columns.filter((column) => !found.has(table, column)).map((column) => `${table}.${column}`);
      const needed = NEEDED.flatMap(([table, columns]) => lacks(table, columns));
      if (needed.length > 0) return fail(`no column ${needed.join(', ')}`, REPORT);
      const wanted = lacks('message', WANTED);
      if (wanted.length > 0) return warn(`no column ${wanted.join(', ')}`, REPORT);
      const columns = (database.pragma('table_info(message)') as unknown[]).length;
      return pass(`all there; message has ${columns} columns`);
    }),
};

const DECODED_ROWS = 1000;

/** Only counts: the texts are private. */
export const decoding: Check = {
  id: 'chatdb-decode',
  title: 'the texts of the last 1 000 rows can be read',
  run: (context) =>
    reading(context, (database) => {
      const bodies = database
        .prepare(
          `SELECT attributedBody FROM (SELECT attributedBody FROM message ORDER BY ROWID DESC LIMIT ${DECODED_ROWS})
           WHERE attributedBody IS NOT NULL`,
        )
        .pluck()
        .all() as Buffer[];
      if (bodies.length === 0) return skip('no row has an attributedBody');
      const decoded = bodies.map(decodeAttributedBody);
      const saved = decoded.filter(({ fallback, text }) => fallback && text !== null).length;
      const lost = decoded.filter(({ text }) => text === null).length;
      const evidence = `${bodies.length} bodies: ${bodies.length - saved - lost} read, ${saved} saved by the fallback, ${lost} unreadable`;
      if (lost > bodies.length / 100) return fail(evidence, REPORT);
      return saved + lost > 0 ? warn(evidence, REPORT) : pass(evidence);
    }),
};

/** Off macOS there usually is no chat.db, which then is no fault. */
function reading(context: ConfiguredBench, look: (database: Database, path: string) => Outcome): Outcome {
  const path = context.config.loaded.config.imessage.db_path;
  const program = agentProgram(context);
  const file = probe(path, program);
  if (!file.ok) {
    if (context.platform !== 'darwin' && file.code === 'chatdb_missing')
      return skip(`not macOS, and no ${path}`);
    return fail(file.message, file.remedy);
  }
  let database: Database | undefined;
  try {
    database = openDatabase(path, { readonly: true });
    database.pragma('query_only = 1');
    return look(database, path);
  } catch (error) {
    const { message, remedy } = accessProblem(path, 'SQLITE', describeError(error), program);
    return fail(message, remedy);
  } finally {
    database?.close();
  }
}

/** On a Mac without the service nothing has been made yet that permissions could be given to. */
function isOfTerminalAlone({ agent, homeDir, platform }: ConfiguredBench): boolean {
  return platform === 'darwin' && agent.kind !== 'up' && launchdProgram(homeDir) === undefined;
}

function isOfChatDb({ code }: { code: string }): boolean {
  return code.startsWith('chatdb_');
}
