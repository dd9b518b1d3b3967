// A gateway as a process of its own, which may be told to die at a commit. The argument is JSON: `settings` (with `key` in base64), and
// `killAt`: { statement, phase, nth }: SIGKILL right before or after the nth COMMIT of a transaction that holds such a statement.
// Prints its port once it serves. It has a channel to its parent, and ends with it, however that dies.

import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { Client } from 'pg';
import { Gateway } from '../../dist/gateway/Gateway.js';
import { systemClock } from '../../dist/system/clock.js';
import { systemRandom } from '../../dist/system/random.js';

process.on('disconnect', () => process.exit());

const { settings, killAt } = JSON.parse(process.argv[2] ?? '{}');
if (killAt !== undefined) arm(killAt);

const nothing = () => undefined;
const gateway = await Gateway.start(
  { ...settings, key: Buffer.from(settings.key, 'base64') },
  {
    clock: systemClock,
    random: systemRandom,
    log: { debug: nothing, info: nothing, warn: console.error, error: console.error },
  },
);
writeSync(1, `${gateway.port}\n`);
// With --expose-gc: what memory it holds is to be measured.
process.on('SIGUSR2', () => globalThis.gc?.());
process.on('SIGTERM', () => void gateway.stop().then(() => process.exit(0)));

function arm({ statement, phase, nth }) {
  const wanted = new RegExp(statement);
  let seen = 0;
  const die = () => process.kill(process.pid, 'SIGKILL');
  /** Whether the transaction of this connection that commits now is the one. */
  const isDue = (fits) => {
    if (fits) seen += 1;
    return fits && seen === nth;
  };

  let fitsSqlite = false;
  const scratch = new Database(':memory:');
  const statements = Object.getPrototypeOf(scratch.prepare('SELECT 1'));
  scratch.close();
  for (const method of ['run', 'all']) {
    const original = statements[method];
    statements[method] = function (...values) {
      const sql = this.source;
      if (sql.startsWith('BEGIN')) fitsSqlite = false;
      else if (wanted.test(sql)) fitsSqlite = true;
      if (sql !== 'COMMIT' || !isDue(fitsSqlite)) return original.apply(this, values);
      if (phase === 'after') original.apply(this, values);
      return die();
    };
  }

  const fitting = new WeakSet();
  const { query } = Client.prototype;
  Client.prototype.query = function (config, ...rest) {
    // Several statements may go in one round trip (src/gateway/storage/PostgresRoundTrip.ts), the COMMIT as the last of them.
    const all = config?.statements?.map(({ text }) => text) ?? [config?.text ?? String(config)];
    for (const sql of all) {
      if (sql.startsWith('BEGIN')) fitting.delete(this);
      else if (wanted.test(sql)) fitting.add(this);
    }
    if (!all.includes('COMMIT') || !isDue(fitting.has(this))) return query.call(this, config, ...rest);
    if (phase === 'before') return die();
    if (config.statements === undefined) return query.call(this, config, ...rest).then(die);
    config.handleReadyForQuery = die;
    return query.call(this, config, ...rest);
  };
}
