import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, type TestContext, test } from 'vitest';
import { eventsAfter } from '../../src/gateway/ledger/eventLog.js';
import { findMessage } from '../../src/gateway/ledger/messages.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { AGENT_ID, EdgeWorld } from '../support/EdgeWorld.js';
import { untilIdle } from '../support/statusOf.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';
import { ownPostgres } from '../support/testPostgres.js';
import { GatewayProcess } from './GatewayProcess.js';
import { settingsOn } from './GatewayWorld.js';
import { type GatewayEngine, gatewayEngines } from './gatewayEngines.js';
import { admitAgent, order, untilAcked } from './texting.js';

const run = promisify(execFile);

/** How an operator backs up what is at `place` while the gateway runs, and where it is restored; see docs/gateway.md. */
interface Backup {
  readonly place: string;
  save(): Promise<void>;
  /** Gives the place of the restored one. */
  restore(): Promise<string>;
}

const BACKUPS: Readonly<Record<GatewayEngine['name'], (context: TestContext) => Promise<Backup>>> = {
  SQLite: async (context) => {
    const directory = temporaryDirectory(context);
    const place = join(directory, 'gateway.sqlite');
    const restored = join(directory, 'restored.sqlite');
    const save = async () => {
      // What `.backup` of the shell calls.
      const database = openDatabase(place, { readonly: true });
      await database.backup(restored);
      database.close();
    };
    return { place, save, restore: async () => restored };
  },
  // Into another server, which counts its transactions anew.
  PostgreSQL: async (context) => {
    const server = await ownPostgres();
    context.onTestFinished(() => server.end());
    const file = join(temporaryDirectory(context), 'backup');
    const save = () => dump(context, '--format=custom', `--file=${file}`, server.urlOf());
    const restore = async () => {
      const next = await ownPostgres();
      context.onTestFinished(() => next.end());
      await run('pg_restore', ['--exit-on-error', '--no-owner', `--dbname=${next.urlOf()}`, file]);
      return next.urlOf();
    };
    return { place: server.urlOf(), save, restore };
  },
};

/** npm brings no pg_dump, and one that is older than the server refuses it: then there is nothing to try. */
async function dump(context: TestContext, ...args: readonly string[]): Promise<void> {
  try {
    await run('pg_dump', args);
  } catch (error) {
    const words = String(error);
    if (/ENOENT|server version mismatch/.test(words)) context.skip(words);
    throw error;
  }
}

test.for(gatewayEngines())(
  'a gateway on $name that is restored from a backup gets what its agent did since again, and nothing is sent twice',
  async (engine, context) => {
    const backup = await BACKUPS[engine.name](context);
    const at = (place: string) =>
      engine.name === 'SQLite'
        ? ({ kind: 'sqlite', path: place } as const)
        : ({ kind: 'postgres', url: place } as const);
    const empty = await settingsOn(engine, { storage: at(backup.place) }, context);
    const key = await admitAgent(empty.key, await engine.open(backup.place, context));
    const gateway = await GatewayProcess.start(context, empty);
    const { url, port } = gateway;
    const world = await EdgeWorld.open(context, { settings: { 'backend.url': url } });
    await order(url, key, 'first');
    await backup.save();
    const agent = await world.startDegraded();
    await world.sent(1);
    await order(url, key, 'later');
    await world.sent(2);
    await untilAcked(url, key);
    gateway.kill();
    await gateway.exited;

    const place = await backup.restore();
    const restored = await GatewayProcess.start(context, { ...empty, storage: at(place), port });
    await untilAcked(url, key);
    // What was ordered since the backup the gateway does not know; who orders it again has it told, not sent.
    await order(url, key, 'later');
    await order(url, key, 'last');
    await world.sent(3);
    await untilAcked(url, key);
    await untilIdle(world.state);
    await agent.dispose();
    restored.kill();
    await restored.exited;

    expect(world.texts).toEqual(['first', 'later', 'last']);
    const database = await engine.open(place, context);
    for (const id of ['cmd_first', 'cmd_later', 'cmd_last'])
      expect(await findMessage(database, AGENT_ID, id)).toMatchObject({ outcome: 'sent' });
    const wanted = { agents: [AGENT_ID], types: ['message.status'] };
    const events = await eventsAfter(database, { xid: 0, seq: 0 }, wanted, 10);
    const told = events.map(({ body }) => JSON.parse(body).data.message_id);
    // What it says of a text that the gateway does not know, by its row alone, names none.
    expect(told.filter((id) => id !== null)).toEqual(['cmd_first', 'cmd_later', 'cmd_last']);
  },
);
